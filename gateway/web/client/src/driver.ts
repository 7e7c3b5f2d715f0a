// The thin shell around the session machine: it owns the links, the timers and the listeners for
// the platform's hints, feeds events in, and carries actions out one after another, also when a
// listener of the application calls back into the client meanwhile.
import { diagnose } from "./diagnose.ts";
import { PealError } from "./errors.ts";
import { HttpLink } from "./http_link.ts";
import type { Action, Event, TimerName } from "./machine.ts";
import { Session } from "./session.ts";
import { Timers } from "./timers.ts";
import type { PealOptions, TransportName, WebSocketClass } from "./types.ts";
import { tryWebSocket, WebSocketLink } from "./websocket_link.ts";

/** Actions for the application; the others are done here. */
export type Upward = Extract<Action, { do:
  "state" | "settle" | "channel" | "deliver" | "moved" | "reset" | "presence" | "join" | "leave" | "report" }>;

/** How often it is looked whether the clock has jumped, and what counts as a jump: the machine slept. */
const kTick = 5000;
const kJump = 15_000;

export class Driver {
  readonly #session: Session;
  readonly #timers = new Timers<TimerName>((timer) => this.handle({ on: "timer", timer }));
  readonly #actions: Action[] = [];
  #busy = false;
  /** Counts the links, so that what comes late for one that was dropped is known. */
  #links = 0;
  #transport?: TransportName;
  #socket?: WebSocketLink;
  #hints?: AbortController;
  #tick?: ReturnType<typeof setInterval>;

  readonly #url: string;
  readonly #class: WebSocketClass;
  readonly #http: HttpLink;
  readonly #options: PealOptions;
  readonly #connectTimeout: number;
  readonly #upward: (action: Upward) => void;

  constructor(url: string, options: PealOptions, upward: (action: Upward) => void) {
    this.#url = url;
    this.#options = options;
    this.#upward = upward;
    this.#connectTimeout = options.connectTimeout ?? 10_000;
    const platform = globalThis as { WebSocket?: unknown; fetch?: typeof globalThis.fetch };
    this.#class = options.WebSocket ?? (platform.WebSocket as WebSocketClass);
    const fetch = options.fetch ?? platform.fetch;
    const transports = (options.transports ?? ["websocket", "sse", "poll"])
      .filter((name) => (name === "websocket" ? this.#class : fetch));
    if (transports.length === 0) {
      throw new PealError("option_invalid", "there is no WebSocket here; pass one: { WebSocket }");
    }
    const replyTimeout = options.replyTimeout ?? 10_000;
    this.#http = new HttpLink(url, fetch!, replyTimeout, (event) => this.handle(event));
    this.#session = new Session(
      {
        transports,
        queueMax: options.queueMax ?? 1000,
        retryBase: options.retryBase ?? 500,
        retryMax: options.retryMax ?? 20_000,
        connectTimeout: this.#connectTimeout,
        replyTimeout,
        checkTimeout: options.checkTimeout ?? 4000,
      },
      Math.random,
    );
    this.#listenToHints();
  }

  handle(event: Event): void {
    this.#actions.push(...this.#session.handle(event));
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let action; (action = this.#actions.shift()); ) this.#perform(action);
    } finally {
      this.#busy = false;
    }
  }

  #perform(action: Action): void {
    switch (action.do) {
      case "open":
        return this.#open(action.transport);
      case "identify":
        return void this.#identify();
      case "diagnose":
        return void diagnose(this.#url, this.#options.fetch)
          .then((error) => error && this.handle({ on: "diagnosed", error }));
      case "look":
        return void tryWebSocket(this.#url, this.#class, this.#connectTimeout)
          .then((works) => this.handle({ on: "looked", works }));
      case "send":
        return this.#socket ? this.#socket.send(action.text) : void this.#http.command(action.text);
      case "follow":
        return this.#http.follow(action.channels, this.#transport === "poll", action.cursor);
      case "drop":
        return this.#drop();
      case "arm":
        return this.#timers.arm(action.timer, action.ms);
      case "disarm":
        return this.#timers.disarm(action.timer);
      case "state":
        if (action.state.name === "closed") {
          this.#hints?.abort();
          clearInterval(this.#tick);
        }
        return this.#upward(action);
      default:
        return this.#upward(action);
    }
  }

  #open(transport: TransportName): void {
    ++this.#links;
    this.#transport = transport;
    if (transport !== "websocket") return this.handle({ on: "opened" });
    try {
      this.#socket = new WebSocketLink(this.#url, this.#class, {
        opened: () => this.handle({ on: "opened" }),
        text: (text) => this.handle({ on: "text", text }),
        closed: (code, reason) => {
          this.#socket = undefined;
          this.handle({ on: "closed", code, reason });
        },
      });
    } catch (error) {
      this.handle({ on: "closed", code: 1006, reason: String(error) });
    }
  }

  #drop(): void {
    ++this.#links;
    this.#socket?.close();
    this.#socket = undefined;
    this.#http.drop();
  }

  async #identify(): Promise<void> {
    const link = this.#links;
    const { token: given } = this.#options;
    let event: Event;
    try {
      const token = typeof given === "function" ? await given() : given;
      this.#http.token = token;
      event = { on: "identified", token };
    } catch (error) {
      event = { on: "identified", error: new PealError("connection_lost", `no token: ${error}`, true) };
    }
    if (link === this.#links) this.handle(event);
  }

  #listenToHints(): void {
    const hint = (hint: "offline" | "online" | "awake") => () => this.handle({ on: "hint", hint });
    this.#listenToClock(hint("awake"));
    const page = globalThis as { document?: EventTarget & { visibilityState: string } } & Partial<EventTarget>;
    if (!page.addEventListener || !page.document) return;
    this.#hints = new AbortController();
    const { signal } = this.#hints;
    page.addEventListener("offline", hint("offline"), { signal });
    page.addEventListener("online", hint("online"), { signal });
    page.addEventListener("pageshow", hint("awake"), { signal });
    page.document.addEventListener("resume", hint("awake"), { signal });
    page.document.addEventListener("visibilitychange", () => {
      if (page.document!.visibilityState === "visible") hint("awake")();
    }, { signal });
  }

  /** A machine that slept tells a page nothing, but its clock has moved on without the timers. */
  #listenToClock(awake: () => void): void {
    let last = Date.now();
    this.#tick = setInterval(() => {
      const slept = Date.now() - last > kJump;
      last = Date.now();
      if (slept) awake();
    }, kTick);
    (this.#tick as { unref?(): void }).unref?.();  // it keeps no Node process alive
  }
}
