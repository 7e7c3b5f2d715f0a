// The state machine of one client: events in, actions out. It makes the connection, keeps it under
// watch, and makes it again; commands and channels have their own files and know nothing of links.
//
//   idle ──start──▶ connecting ──connect result──▶ connected
//                     ▲   │                            │
//                retry│   │failed, too late            │closed, silent, unanswered
//                     │   ▼                            │
//                     waiting ◀────────────────────────┘
//   closed, for good: stop(), or the server said that coming back is no use
import { fullJitter } from "./backoff.ts";
import { Channels } from "./channels.ts";
import { errorOfClose } from "./close_codes.ts";
import { Commands } from "./commands.ts";
import { PealError } from "./errors.ts";
import type { Action, Event, TimerName } from "./machine.ts";
import type { ConnectionState, PealOptions } from "./types.ts";
import { decode, errorOf } from "./wire.ts";

export type SessionOptions = Required<
  Pick<PealOptions, "queueMax" | "retryBase" | "retryMax" | "connectTimeout" | "replyTimeout" | "checkTimeout">
>;

/** How long a connection has to last until earlier failures no longer count, in ms. */
const kStableAfter = 5000;
const kHeartbeatDefault = 25_000;
const kLinkTimers: TimerName[] = ["connect", "silence", "check", "reply", "stable", "resubscribe"];

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

  readonly #options: SessionOptions;
  readonly #random: () => number;
  readonly #commands: Commands;
  readonly #channels: Channels;

  constructor(options: SessionOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
    const emit = (action: Action) => void this.#actions.push(action);
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
      case "closed":
        return this.#closed(event.code, event.reason);
      case "diagnosed":
        return this.#diagnosed(event.error);
      case "timer":
        return this.#timer(event.timer);
      case "hint":
        return this.#hint(event.hint);
      case "subscribe":
        return this.#channels.want(event.channel, event.since);
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
    while (this.#commands.hasRoom) {
      const due = this.#channels.next();
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
    this.#enter({ name: "connecting", attempt: this.#failures + 1 });
    this.#do({ do: "arm", timer: "connect", ms: this.#options.connectTimeout });
    this.#do({ do: "open" });
  }

  #greet(token?: string): void {
    const payload = JSON.stringify({ token, client: kClient, heartbeat: true });
    this.#commands.send("connect", payload, (reply) => {
      if (reply.error) this.#lose(errorOf(reply.error), !reply.error.temporary);
      else this.#welcomed(reply.result ?? {});
    });
  }

  #welcomed(result: Record<string, any>): void {
    const { session = "", gateway = "", heartbeat_ms = kHeartbeatDefault, limits = {} } = result;
    this.#commands.window = Math.max(1, Math.min(16, limits.commands_pending_max ?? 16));
    // Half an interval of grace, since a busy server or network may be a little late.
    this.#silenceAfter = (heartbeat_ms || kHeartbeatDefault) * 1.5;
    this.#do({ do: "disarm", timer: "connect" });
    this.#do({ do: "arm", timer: "stable", ms: kStableAfter });
    this.#enter({ name: "connected", session, gateway, again: this.#again, limits });
    this.#again = true;
    this.#heard();
  }

  #closed(code: number, reason: string): void {
    if (this.#opened) {
      const error = errorOfClose(code, reason);
      return this.#lose(error, !error.temporary);
    }
    this.#lose(new PealError("connection_lost", reason || "no connection to the server", true, code));
    this.#do({ do: "diagnose" });
  }

  /** The link is gone or given up. */
  #lose(error: PealError, forGood = false): void {
    this.#checking = false;
    this.#do({ do: "drop" });
    for (const timer of kLinkTimers) this.#do({ do: "disarm", timer });
    this.#commands.lost();
    if (forGood) return this.#finish(error);
    this.#retryIn = fullJitter(this.#failures++, this.#backoff, this.#random);
    this.#do({ do: "arm", timer: "retry", ms: this.#retryIn });
    this.#wait(error);
    this.#channels.lost(error);
  }

  #wait(error: PealError): void {
    this.#lastError = error;
    const [attempt, retryIn, offline] = [this.#failures, this.#retryIn, this.#offline];
    this.#enter({ name: "waiting", attempt, retryIn, offline, error });
  }

  #diagnosed(error: PealError): void {
    if (this.#state === "connected") return;
    if (!error.temporary) this.#lose(error, true);
    else if (this.#state === "waiting") this.#wait(error);
  }

  #finish(error?: PealError): void {
    this.#do({ do: "drop" });
    for (const timer of [...kLinkTimers, "retry"] as TimerName[]) this.#do({ do: "disarm", timer });
    this.#commands.lost();
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
    this.#commands.send("ping", "{}", () => {});
    this.#do({ do: "arm", timer: "check", ms: this.#options.checkTimeout });
  }

  #timer(timer: TimerName): void {
    const { connectTimeout, checkTimeout, replyTimeout } = this.#options;
    const silent = (ms: number) => new PealError("link_silent", `no sign of the server for ${ms} ms`, true);
    switch (timer) {
      case "connect":
        return this.#lose(
          new PealError("connect_timeout", `no connection within ${connectTimeout} ms`, true));
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
    }
  }

  /** Hints are only that: an offline page may still reach its own machine. So the link is checked,
   *  or made at once, and never given up for a hint alone. */
  #hint(hint: "offline" | "online" | "awake"): void {
    if (hint !== "awake") this.#offline = hint === "offline";
    if (this.#state === "connected") this.#check();
    if (this.#state !== "waiting") return;
    if (hint === "offline") return this.#wait(this.#lastError!);
    this.#do({ do: "disarm", timer: "retry" });
    this.#connect();
  }

  // --- what arrives ---------------------------------------------------------------------------

  #read(text: unknown): void {
    const incoming = decode(text);
    this.#heard();
    if (!incoming) {
      this.#do({ do: "report", error: new PealError("message_invalid", "not a message of this protocol") });
    } else if (incoming.id !== undefined) {
      this.#commands.replied(incoming);
    } else if (incoming.channel !== undefined) {
      this.#channels.pushed(incoming);
    } else if (incoming.event === "error") {
      this.#do({ do: "report", error: errorOf(incoming) });
    }
  }
}
