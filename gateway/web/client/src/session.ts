// The state machine of one client: events in, actions out. It makes the connection, keeps it under
// watch, and makes it again; commands and channels have their own files and know nothing of links.
//
//   idle ──start──▶ connecting ──first reply──▶ connected
//                     ▲   │                         │
//                retry│   │failed, too late         │closed, silent, unanswered
//                     │   ▼                         │
//                     waiting ◀─────────────────────┘
//   closed, for good: stop(), or the server said that coming back is no use
//
// A link is a WebSocket, which takes everything, or HTTP: commands are requests of their own, and one
// request follows all the channels (`follow`), as a stream or as one long-poll after the other.
import { fullJitter } from "./backoff.ts";
import { Channels, type Request } from "./channels.ts";
import { errorOfClose, retryAfterOf } from "./close_codes.ts";
import { Commands } from "./commands.ts";
import { PealError } from "./errors.ts";
import type { Action, Event, TimerName } from "./machine.ts";
import { TransportChoice } from "./transport_choice.ts";
import type { ConnectionState, PealOptions } from "./types.ts";
import { decode, errorOf, type Incoming } from "./wire.ts";

export type SessionOptions = Required<
  Pick<PealOptions,
       "transports" | "queueMax" | "retryBase" | "retryMax" | "connectTimeout" | "replyTimeout" | "checkTimeout">
>;

/** How long a connection has to last until earlier failures no longer count, in ms. */
const kStableAfter = 5000;
const kHeartbeatDefault = 25_000;
/** Wishes that come together are one request, in ms. */
const kFollowAfter = 10;
const kLinkTimers: TimerName[] =
  ["connect", "silence", "check", "reply", "stable", "resubscribe", "follow", "stream", "better"];
/** What a server or proxy says that is there, but lets nothing through this way. */
const kNoWay = ["connection_refused", "upgrade_required", "not_found", "method_not_allowed", "not_acceptable"];
/** What no other request would be told otherwise. */
const kForGood = ["token_invalid", "origin_refused", "host_refused"];

const kClient = { name: "@peal/client", version: "0.1.0" };

export class Session {
  #state: ConnectionState["name"] | "idle" = "idle";
  #opened = false;
  #offline = false;
  #again = false;
  #failures = 0;
  #checking = false;
  #silenceAfter = 0;
  #retryIn = 0;
  #lastError?: PealError;
  #actions: Action[] = [];
  /** What the request that follows the channels was made of; undefined while there is none. */
  #followed?: Request[];
  #followDue = false;

  readonly #options: SessionOptions;
  readonly #random: () => number;
  readonly #choice: TransportChoice;
  readonly #commands: Commands;
  readonly #channels: Channels;

  constructor(options: SessionOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
    const emit = (action: Action) => void this.#actions.push(action);
    this.#choice = new TransportChoice(options.transports);
    this.#commands = new Commands(emit, options.queueMax, options.replyTimeout);
    this.#channels = new Channels(emit, this.#backoff, random);
  }

  handle(event: Event): Action[] {
    this.#on(event);
    this.#pump();
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  get #backoff() {
    return { base: this.#options.retryBase, max: this.#options.retryMax };
  }

  get #http(): boolean {
    return this.#choice.current !== "websocket";
  }

  #on(event: Event): void {
    if (this.#state === "closed" && event.on !== "call") return;
    switch (event.on) {
      case "start":
        return this.#connect();
      case "stop":
        return this.#finish();
      case "opened":
        this.#opened = true;
        return this.#do({ do: "identify" });
      case "identified":
        return event.error ? this.#lose(event.error) : this.#greet(event.token);
      case "text":
        return this.#read(event.text);
      case "alive":
        return this.#heard();
      case "replied":
        return this.#replied(decode(event.text));
      case "polled":
        return this.#polled(event.cursor);
      case "closed":
        return this.#closed(event.code, event.reason);
      case "refused":
        return this.#refused(event.error);
      case "diagnosed":
        return this.#diagnosed(event.error);
      case "looked":
        return this.#looked(event.works);
      case "timer":
        return this.#timer(event.timer);
      case "hint":
        return this.#hint(event.hint);
      case "subscribe":
        return this.#channels.want(event.channel, event.wish ?? {});
      case "unsubscribe":
        return this.#channels.unwant(event.channel);
      case "abandon":
        return this.#commands.abandon(event.ticket);
      case "call":
        return this.#call(event.ticket, event.action, event.payload, event.waits);
    }
  }

  #do(action: Action): void {
    this.#actions.push(action);
  }

  #enter(state: ConnectionState): void {
    this.#state = state.name;
    this.#do({ do: "state", state });
  }

  /** Sends what is due while the server takes it: subscriptions first, then what waited longest. */
  #pump(): void {
    if (this.#state !== "connected") return;
    if (this.#http && this.#channels.changed && !this.#followDue) {
      this.#followDue = true;
      this.#do({ do: "arm", timer: "follow", ms: kFollowAfter });
    }
    while (this.#commands.hasRoom) {
      const due = this.#http ? undefined : this.#channels.next();
      if (due) {
        this.#commands.send(due.action, due.payload, due.answer);
      } else if (!this.#commands.sendNext()) {
        return;
      }
    }
  }

  #call(ticket: number, action: string, payload: string, waits: boolean): void {
    const refuse = (code: string, message: string, temporary: boolean) =>
      this.#do({ do: "settle", ticket, error: new PealError(code, message, temporary) });
    if (this.#state === "closed") {
      refuse("client_closed", "the client is closed", false);
    } else if (!waits && this.#state !== "connected") {
      refuse("not_connected", "not connected at the moment", true);
    } else {
      this.#commands.wait(ticket, action, payload);
    }
  }

  // --- the life of a connection ---------------------------------------------------------------

  #connect(): void {
    this.#opened = false;
    this.#commands.apart = this.#channels.together = this.#http;
    this.#enter({ name: "connecting", attempt: this.#failures + 1 });
    this.#do({ do: "arm", timer: "connect", ms: this.#options.connectTimeout });
    this.#do({ do: "open", transport: this.#choice.current });
  }

  #greet(token?: string): void {
    const answer = (reply: Incoming) => {
      if (reply.error) this.#refused(errorOf(reply.error));
      else this.#welcomed(reply.result ?? {});
    };
    if (this.#http) this.#commands.send("ping", "{}", answer);
    else this.#commands.send("connect", JSON.stringify({ token, client: kClient, heartbeat: true }), answer);
  }

  #welcomed(result: Record<string, any>): void {
    const { session = "", gateway = "", heartbeat_ms = kHeartbeatDefault, limits = {} } = result;
    this.#commands.window = Math.max(1, Math.min(16, limits.commands_pending_max ?? 16));
    // Half an interval of grace, since a busy server or network may be a little late.
    this.#silenceAfter = (heartbeat_ms || kHeartbeatDefault) * 1.5;
    this.#do({ do: "disarm", timer: "connect" });
    this.#do({ do: "arm", timer: "stable", ms: kStableAfter });
    const { current: transport, lookAfter } = this.#choice;
    if (lookAfter) this.#do({ do: "arm", timer: "better", ms: lookAfter });
    if (!this.#http) this.#choice.works();
    this.#enter({ name: "connected", transport, session, gateway, again: this.#again, limits });
    this.#again = true;
    this.#heard();
  }

  #closed(code: number, reason: string): void {
    const early = this.#state === "connecting" && !this.#http;
    if (this.#opened) {
      const error = errorOfClose(code, reason);
      this.#lose(error, !error.temporary, retryAfterOf(reason));
    } else {
      this.#lose(new PealError("connection_lost", reason || "no connection to the server", true, code));
    }
    if (early && this.#state === "waiting") this.#do({ do: "diagnose" });
  }

  /** The server, or a proxy in its place, said no to the link. */
  #refused(error: PealError): void {
    if (!this.#http) return this.#lose(error, !error.temporary);
    const noWay = kNoWay.includes(error.code);
    if (this.#followed && !error.temporary && !noWay && !kForGood.includes(error.code)) {
      return this.#channels.refused(error);
    }
    this.#lose(error, !error.temporary && !noWay);
    if (noWay) this.#blocked(error);
  }

  /** The link is gone or given up. Who asks for a moment gets it; after failures no less than those ask for. */
  #lose(error: PealError, forGood = false, asked?: number): void {
    this.#leave();
    if (forGood) return this.#finish(error);
    const jitter = fullJitter(this.#failures, this.#backoff, this.#random);
    this.#retryIn = asked === undefined ? jitter : Math.max(asked, this.#failures > 0 ? jitter : 0);
    ++this.#failures;
    this.#do({ do: "arm", timer: "retry", ms: this.#retryIn });
    this.#wait(error);
    this.#channels.lost(error);
  }

  #leave(): void {
    this.#checking = this.#followDue = false;
    this.#followed = undefined;
    this.#do({ do: "drop" });
    for (const timer of kLinkTimers) this.#do({ do: "disarm", timer });
    this.#commands.lost();
  }

  #wait(error: PealError): void {
    this.#lastError = error;
    const [attempt, retryIn, offline] = [this.#failures, this.#retryIn, this.#offline];
    this.#enter({ name: "waiting", attempt, retryIn, offline, error });
  }

  /** Why no WebSocket could be made, as HTTP tells it. */
  #diagnosed(error: PealError): void {
    if (this.#state === "connected" || this.#http) return;
    if (kNoWay.includes(error.code)) this.#blocked(error);
    else if (!error.temporary) this.#lose(error, true);
    else if (this.#state === "waiting") this.#wait(error);
  }

  /** The server is there, but can't be had this way. */
  #blocked(error: PealError): void {
    const other = this.#choice.blocked();
    if (!other && !error.temporary && this.#options.transports.length === 1) this.#lose(error, true);
    else if (this.#state === "waiting" && other) this.#retry();
    else if (this.#state === "waiting") this.#wait(error);
  }

  #retry(): void {
    this.#do({ do: "disarm", timer: "retry" });
    this.#connect();
  }

  /** It was seen whether the best way works by now. */
  #looked(works: boolean): void {
    if (this.#state !== "connected" || !this.#http) return;
    if (this.#choice.looked(works)) {
      this.#leave();
      this.#channels.lost(new PealError("connection_lost", "changing to a better transport", true));
      this.#connect();
    } else {
      this.#do({ do: "arm", timer: "better", ms: this.#choice.lookAfter! });
    }
  }

  #finish(error?: PealError): void {
    this.#leave();
    this.#do({ do: "disarm", timer: "retry" });
    this.#commands.close();
    this.#enter({ name: "closed", error });
    this.#channels.close(error);
  }

  // --- is the other side still there? ---------------------------------------------------------

  #heard(): void {
    if (this.#state !== "connected") return;
    if (this.#checking) this.#do({ do: "disarm", timer: "check" });
    this.#checking = false;
    this.#do({ do: "arm", timer: "silence", ms: this.#silenceAfter });
  }

  #check(): void {
    if (this.#checking || this.#state !== "connected") return;
    this.#checking = true;
    // A stream may be dead while requests are answered, so it is made anew, from its positions.
    if (this.#followed) this.#follow();
    this.#commands.send("ping", "{}", (reply) => {
      if (this.#http && reply.error) this.#lose(errorOf(reply.error));
      else this.#heard();
    });
    this.#do({ do: "arm", timer: "check", ms: this.#options.checkTimeout });
  }

  #timer(timer: TimerName): void {
    const { connectTimeout, checkTimeout, replyTimeout } = this.#options;
    const silent = (ms: number) => new PealError("link_silent", `no sign of the server for ${ms} ms`, true);
    switch (timer) {
      case "connect":
        this.#lose(new PealError("connect_timeout", `no connection within ${connectTimeout} ms`, true));
        if (!this.#http) this.#do({ do: "diagnose" });
        return;
      case "retry":
        return this.#connect();
      case "silence":
        return this.#check();
      case "check":
        return this.#lose(silent(checkTimeout));
      case "reply":
        if (this.#commands.overdue()) this.#lose(silent(replyTimeout));
        return;
      case "stable":
        this.#failures = 0;
        return;
      case "resubscribe":
        return this.#channels.retry();
      case "follow":
        return this.#follow();
      case "stream":
        return this.#refused(new PealError("connection_refused", "the server answers, but its stream is held up", true));
      case "better":
        return this.#choice.better === "websocket" ? this.#do({ do: "look" }) : this.#looked(false);
    }
  }

  /** Hints are only that: an offline page may still reach its own machine. So the link is checked,
   *  or made at once, and never given up for a hint alone. */
  #hint(hint: "offline" | "online" | "awake"): void {
    if (hint !== "awake") this.#offline = hint === "offline";
    if (this.#state === "connected") this.#check();
    if (this.#state !== "waiting") return;
    if (hint === "offline") return this.#wait(this.#lastError!);
    this.#retry();
  }

  // --- the channels over HTTP -----------------------------------------------------------------

  #follow(): void {
    this.#followDue = false;
    this.#do({ do: "disarm", timer: "follow" });
    const channels = this.#channels.all();
    this.#followed = channels.length > 0 ? channels : undefined;
    this.#do({ do: "follow", channels });
    const patience = { do: "arm", timer: "stream", ms: this.#options.connectTimeout } as const;
    if (this.#followed && this.#choice.current === "sse") this.#do(patience);
    else this.#do({ do: "disarm", timer: "stream" });
  }

  /** A long-poll has been answered in full. */
  #polled(cursor?: string): void {
    this.#heard();
    this.#choice.works();
    this.#channels.answered();
    if (!this.#followed || this.#followDue) return;
    if (this.#channels.changed || cursor === undefined) this.#follow();
    else this.#do({ do: "follow", channels: this.#followed, cursor });
  }

  // --- what arrives ---------------------------------------------------------------------------

  #read(text: unknown): void {
    const incoming = decode(text);
    this.#heard();
    if (this.#followed) {
      this.#do({ do: "disarm", timer: "stream" });
      this.#choice.works();
    }
    if (!incoming) {
      this.#do({ do: "report", error: new PealError("message_invalid", "not a message of this protocol") });
    } else if (incoming.id !== undefined) {
      this.#replied(incoming);
    } else if (incoming.channel !== undefined) {
      this.#channels.pushed(incoming);
    } else if (incoming.event === "error") {
      this.#do({ do: "report", error: errorOf(incoming) });
    } else if (incoming.event === "closed") {
      this.#closed(incoming["code"], incoming["message"]);
    }
  }

  #replied(reply?: Incoming): void {
    if (reply) this.#commands.replied(reply);
  }
}
