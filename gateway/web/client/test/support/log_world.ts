// One client's session machine, a model server, and between them three ways that break, are blocked,
// lose single pushes, and fall asleep. What the application hears is judged as it comes.
import { expect } from "vitest";
import { PealError } from "../../src/errors.ts";
import type { Request } from "../../src/channels.ts";
import type { Action, Event, TimerName } from "../../src/machine.ts";
import { Session } from "../../src/session.ts";
import type { Position, TransportName } from "../../src/types.ts";
import { LogServer, type Reader } from "./log_server.ts";
import { kOptions } from "./machine_harness.ts";
import { randomOf } from "./random.ts";

interface Link extends Reader {
  transport: TransportName;
  open: boolean;
  toServer: { id: number; action: string; payload: any }[];
  /** Over HTTP: what is asked for; answered when the server comes to it. */
  poll?: { channels: Request[]; cursor?: string };
}

/** What the application has heard of a channel. */
interface Heard {
  /** Where it was asked for from, when not from where it stood. */
  since?: Position | "start";
  position?: Position;
  last: number;
  count: number;
  resets: number;
}

export class LogWorld {
  readonly server = new LogServer();
  readonly session: Session;
  readonly random: () => number;
  readonly timers = new Set<TimerName>();
  readonly heard = new Map<string, Heard>();
  readonly told = new Map<string, string>();
  readonly blocked = new Set<TransportName>();
  readonly commands: { id: number; action: string; payload: any }[] = [];
  readonly outcomes = new Map<number, string[]>();
  readonly done = new Map<number, number>();
  readonly used = new Set<TransportName>();
  link?: Link;
  state = "";
  identify = false;
  diagnose = false;
  look = false;
  lossy = false;
  tickets = 0;

  constructor(seed: number) {
    this.random = randomOf(seed);
    this.session = new Session(kOptions, this.random);
    this.feed({ on: "start" });
  }

  feed(event: Event): void {
    for (const action of this.session.handle(event)) this.perform(action);
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)]!;
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  perform(action: Action): void {
    switch (action.do) {
      case "open":
        this.link = { transport: action.transport, open: false, toServer: [], places: new Map(), out: [] };
        break;
      case "identify":
        this.identify = true;
        break;
      case "diagnose":
        this.diagnose = true;
        break;
      case "look":
        this.look = true;
        break;
      case "send": {
        const command = JSON.parse(action.text);
        if (this.link!.transport === "websocket") this.link!.toServer.push(command);
        else this.commands.push(command);
        break;
      }
      case "follow":
        this.#follow(action.channels, action.cursor);
        break;
      case "drop":
        this.#drop();
        break;
      case "arm":
        this.timers.add(action.timer);
        break;
      case "disarm":
        this.timers.delete(action.timer);
        break;
      case "state":
        this.state = action.state.name;
        if (action.state.name === "connected") this.used.add(action.state.transport);
        break;
      case "settle":
        this.outcomes.get(action.ticket)!.push(action.error ? action.error.code : "ok");
        break;
      default:
        this.#judge(action);
    }
  }

  /** What reaches the application. */
  #judge(action: Action): void {
    if (action.do === "channel") {
      this.told.set(action.channel, action.state.name);
      if (action.state.name !== "subscribed") return;
      const heard = this.heard.get(action.channel)!;
      const { again, position } = action.state;
      if (again && heard.position) expect(action.state.recovered).toBeDefined();
      if (again) return;
      heard.position = position && { ...position, ...(heard.since === "start" ? { offset: 0 } : {}) };
      if (typeof heard.since === "object" && action.state.recovered) heard.position = heard.since;
    } else if (action.do === "reset") {
      const heard = this.heard.get(action.channel)!;
      ++heard.resets;
      heard.position = action.position;
      const log = this.server.log(action.channel);
      if (action.position.epoch === log.epoch) heard.last = action.position.offset;
    } else if (action.do === "deliver") {
      this.#delivered(action.channel, action.publication.position, action.publication.message as string);
    }
  }

  #delivered(channel: string, position: Position | undefined, message: string): void {
    const heard = this.heard.get(channel);
    expect(heard, `${channel} is wanted`).toBeDefined();
    ++heard!.count;
    const number = Number(message.split(" ")[2]);
    if (!position) {
      expect(number, `${channel} goes forward`).toBeGreaterThan(heard!.last);
      heard!.last = number;
      return;
    }
    expect(message).toBe(`${channel} ${position.epoch} ${position.offset}`);
    const held = heard!.position!;
    expect(position.epoch, `${channel} keeps its epoch until a reset`).toBe(held.epoch);
    expect(position.offset, `${channel} has nothing twice`).toBeGreaterThan(held.offset);
    const { epoch, kept } = this.server.log(channel);
    for (let offset = held.offset + 1; epoch === held.epoch && offset < position.offset; ++offset) {
      expect(kept.has(offset), `${channel} skips ${offset}, which is there`).toBe(false);
    }
    heard!.position = position;
  }

  want(channel: string): void {
    const { epoch, top, ephemeral } = this.server.log(channel);
    const stored = ephemeral ? undefined : { epoch, offset: Math.max(0, top - Math.floor(this.random() * 5)) };
    const since = this.pick([undefined, "start" as const, stored]);
    this.heard.set(channel, { since, last: 0, count: 0, resets: 0 });
    this.feed({ on: "subscribe", channel, wish: { since } });
  }

  unwant(channel: string): void {
    this.heard.delete(channel);
    this.feed({ on: "unsubscribe", channel });
  }

  publish(): void {
    const ticket = ++this.tickets;
    this.outcomes.set(ticket, []);
    const payload = JSON.stringify({ channel: "p", message: ticket });
    this.feed({ on: "call", ticket, action: "publish", payload, waits: true });
  }

  fire(timer: TimerName): void {
    this.timers.delete(timer);
    this.feed({ on: "timer", timer });
  }

  // --- the ways -------------------------------------------------------------------------------

  #follow(channels: Request[], cursor?: string): void {
    const link = this.link!;
    this.server.readers.delete(link);
    link.places.clear();
    link.out = [];
    link.poll = { channels, cursor };
    if (link.transport !== "sse") return;
    // A held-up stream: the server is there, but nothing of it comes through.
    if (this.blocked.has("sse")) return;
    for (const request of channels) {
      const { result, rest } = this.server.subscribe(link, request);
      link.out.push({ event: "subscribed", ...result }, ...rest);
    }
    this.server.readers.add(link);
  }

  #drop(): void {
    if (this.link) this.server.readers.delete(this.link);
    this.link = undefined;
    this.identify = false;
  }

  break(): void {
    if (!this.link) return;
    this.server.readers.delete(this.link);
    this.feed({ on: "closed", code: this.pick([1006, 1012, 1001, 3000]), reason: "" });
  }

  /** The link opens, or is blocked on the way. */
  #open(link: Link): void {
    if (link.transport === "websocket" && this.blocked.has("websocket")) {
      this.feed({ on: "closed", code: 1006, reason: "" });
      return;
    }
    link.open = true;
    this.feed({ on: "opened" });
  }

  /** A command of a WebSocket reaches the server. */
  #serve(link: Link): void {
    const { id, action, payload } = link.toServer.shift()!;
    if (action === "subscribe" && this.chance(0.1)) {
      link.out.push({ id, error: { code: "not_ready", message: "", temporary: true } });
    } else if (action === "subscribe") {
      this.server.readers.add(link);
      const { result, rest } = this.server.subscribe(link, payload);
      link.out.push({ id, result }, ...rest);
    } else {
      if (action === "unsubscribe") link.places.delete(payload.channel);
      if (action === "publish") this.done.set(payload.message, (this.done.get(payload.message) ?? 0) + 1);
      link.out.push({ id, result: action === "connect" ? { heartbeat_ms: 1000, limits: {} } : {} });
    }
  }

  /** A request of its own is answered, or fails before or after it was carried out. */
  #command(): void {
    const { id, action, payload } = this.commands.shift()!;
    const fails = this.lossy && this.chance(0.1);
    if (action === "publish" && !(fails && this.chance(0.5))) {
      this.done.set(payload.message, (this.done.get(payload.message) ?? 0) + 1);
    }
    const code = action === "publish" ? "publish_outcome_unknown" : "connection_lost";
    const reply = fails ? { id, error: { code, message: "", temporary: true } } : { id, result: {} };
    this.feed({ on: "replied", text: JSON.stringify(reply) });
  }

  /** A poll is answered, with what has come or, in the end, with nothing. */
  #poll(link: Link, due: boolean): void {
    const { channels, cursor } = link.poll!;
    const places = cursor ? (JSON.parse(cursor) as Record<string, Position | null>) : {};
    const events: object[] = [];
    for (const request of channels) {
      const { channel } = request;
      const position = places[channel] ?? (typeof request.since === "object" ? request.since : undefined);
      if (position) {
        const page = this.server.since(channel, position);
        events.push(...page.events);
        places[channel] = page.position;
      } else if (!(channel in places)) {
        const { result, rest: _rest } = this.server.subscribe(link, request);
        const { epoch, offset } = result as Position;
        events.push({ event: "subscribed", ...result });
        places[channel] = epoch ? { epoch, offset } : null;
      }
    }
    if (events.length === 0 && cursor && !due) return;
    link.poll = undefined;
    link.places.clear();
    for (const event of events) {
      if (this.link === link && !link.poll) this.feed({ on: "text", text: JSON.stringify(event) });
    }
    if (this.link === link && !link.poll) this.feed({ on: "polled", cursor: JSON.stringify(places) });
  }

  /** Now and then something comes twice, as after a gateway's own repair. */
  #hear(push: { event?: string; offset?: number }): void {
    const text = JSON.stringify(push);
    this.feed({ on: "text", text });
    const again = this.lossy && push.event === "message" && push.offset !== undefined && this.chance(0.05);
    if (again && this.link?.open) this.feed({ on: "text", text });
  }

  /** Moves one thing on its way; false when there was nothing. */
  move(): boolean {
    const { link } = this;
    const ways: (() => void)[] = [];
    if (link && !link.open) ways.push(() => this.#open(link));
    if (this.identify) {
      ways.push(() => {
        this.identify = false;
        this.feed({ on: "identified" });
      });
    }
    if (link?.toServer.length) ways.push(() => this.#serve(link));
    if (link?.out.length) ways.push(() => this.#hear(link.out.shift()!));
    if (link?.poll && link.transport === "poll" && link.poll.channels.length > 0) {
      ways.push(() => this.#poll(link, this.chance(0.2)));
    }
    if (this.commands.length > 0) ways.push(() => this.#command());
    if (this.diagnose) {
      ways.push(() => {
        this.diagnose = false;
        const error = new PealError("connection_refused", "it answers", true);
        if (this.blocked.has("websocket")) this.feed({ on: "diagnosed", error });
      });
    }
    if (this.look) {
      ways.push(() => {
        this.look = false;
        this.feed({ on: "looked", works: !this.blocked.has("websocket") });
      });
    }
    if (ways.length > 0) this.pick(ways)();
    return ways.length > 0;
  }
}
