// The thin shell around the session machine: it owns the socket, the timers and the listeners for
// the platform's hints, feeds events in, and carries actions out one after another, also when a
// listener of the application calls back into the client meanwhile.
import { diagnose } from "./diagnose.ts";
import { PealError } from "./errors.ts";
import type { Action, Event, TimerName } from "./machine.ts";
import { Session } from "./session.ts";
import { Timers } from "./timers.ts";
import type { PealOptions, WebSocketClass, WebSocketLike } from "./types.ts";
import { kSubprotocol } from "./wire.ts";

/** Actions for the application; the others are done here. */
export type Upward = Extract<Action, { do: "state" | "settle" | "channel" | "deliver" | "reset" | "report" }>;

export class Driver {
  readonly #session: Session;
  readonly #timers = new Timers<TimerName>((timer) => this.handle({ on: "timer", timer }));
  readonly #actions: Action[] = [];
  #busy = false;
  #socket?: WebSocketLike;
  #hints?: AbortController;

  readonly #url: string;
  readonly #class: WebSocketClass;
  readonly #token: PealOptions["token"];
  readonly #upward: (action: Upward) => void;

  constructor(url: string, options: PealOptions, upward: (action: Upward) => void) {
    this.#url = url;
    this.#token = options.token;
    this.#upward = upward;
    const platform = (globalThis as { WebSocket?: unknown }).WebSocket as WebSocketClass;
    this.#class = options.WebSocket ?? platform;
    if (!this.#class) {
      throw new PealError("option_invalid", "there is no WebSocket here; pass one: { WebSocket }");
    }
    this.#session = new Session(
      {
        queueMax: options.queueMax ?? 1000,
        retryBase: options.retryBase ?? 500,
        retryMax: options.retryMax ?? 20_000,
        connectTimeout: options.connectTimeout ?? 10_000,
        replyTimeout: options.replyTimeout ?? 10_000,
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
        return this.#open();
      case "identify":
        return void this.#identify();
      case "diagnose":
        return void diagnose(this.#url).then((error) => error && this.handle({ on: "diagnosed", error }));
      case "send":
        return this.#socket?.send(action.text);
      case "drop":
        return this.#drop();
      case "arm":
        return this.#timers.arm(action.timer, action.ms);
      case "disarm":
        return this.#timers.disarm(action.timer);
      case "state":
        if (action.state.name === "closed") this.#hints?.abort();
        return this.#upward(action);
      default:
        return this.#upward(action);
    }
  }

  #open(): void {
    let socket: WebSocketLike;
    try {
      socket = new this.#class(this.#url, [kSubprotocol]);
    } catch (error) {
      return this.handle({ on: "closed", code: 1006, reason: String(error) });
    }
    let failure = "";
    this.#socket = socket;
    socket.onopen = () => this.handle({ on: "opened" });
    socket.onmessage = ({ data }) => this.handle({ on: "text", text: data });
    socket.onerror = ({ message = "" }) => void (failure = message);
    socket.onclose = ({ code, reason }) => {
      this.#socket = undefined;
      this.handle({ on: "closed", code, reason: String(reason) || failure });
    };
  }

  #drop(): void {
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = undefined;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.onerror = () => {};
    socket.close(1000);
  }

  async #identify(): Promise<void> {
    const socket = this.#socket;
    let event: Event;
    try {
      event = { on: "identified", token: typeof this.#token === "function" ? await this.#token() : this.#token };
    } catch (error) {
      event = { on: "identified", error: new PealError("connection_lost", `no token: ${error}`, true) };
    }
    if (socket && socket === this.#socket) this.handle(event);
  }

  #listenToHints(): void {
    const page = globalThis as { document?: EventTarget & { visibilityState: string } } & Partial<EventTarget>;
    if (!page.addEventListener || !page.document) return;
    this.#hints = new AbortController();
    const { signal } = this.#hints;
    const hint = (hint: "offline" | "online" | "awake") => () => this.handle({ on: "hint", hint });
    page.addEventListener("offline", hint("offline"), { signal });
    page.addEventListener("online", hint("online"), { signal });
    page.addEventListener("pageshow", hint("awake"), { signal });
    page.document.addEventListener("resume", hint("awake"), { signal });
    page.document.addEventListener("visibilitychange", () => {
      if (page.document!.visibilityState === "visible") hint("awake")();
    }, { signal });
  }
}
