// The session machine against a model server over a network that breaks at any moment and loses
// what is on its way: thousands of random histories, each from its own seed.
// Every publish is settled once and truthfully; every wanted channel ends up subscribed.
import { expect, it } from "vitest";
import type { Action, TimerName } from "../src/machine.ts";
import { Session } from "../src/session.ts";
import { kOptions } from "./support/machine_harness.ts";
import { randomOf } from "./support/random.ts";

const kHistories = 2000;
const kSteps = 120;

class World {
  readonly session: Session;
  readonly random: () => number;
  readonly timers = new Set<TimerName>();
  /** The socket and what is on its way in both directions; undefined without one. */
  link?: { open: boolean; toServer: string[]; toClient: string[]; channels: Set<string> };
  identify = false;
  readonly received = new Map<number, number>();
  readonly outcomes = new Map<number, string[]>();
  readonly wanted = new Set<string>();
  readonly told = new Map<string, string>();
  tickets = 0;
  state = "";

  constructor(seed: number) {
    this.random = randomOf(seed);
    this.session = new Session({ ...kOptions, transports: ["websocket"], queueMax: 8 }, this.random);
    this.feed({ on: "start" });
  }

  feed(event: Parameters<Session["handle"]>[0]): void {
    for (const action of this.session.handle(event)) this.perform(action);
  }

  perform(action: Action): void {
    switch (action.do) {
      case "open":
        expect(this.link, "one socket at a time").toBeUndefined();
        this.link = { open: false, toServer: [], toClient: [], channels: new Set() };
        break;
      case "identify":
        this.identify = true;
        break;
      case "send":
        expect(this.link?.open, "nothing is sent without an open socket").toBe(true);
        this.link!.toServer.push(action.text);
        break;
      case "drop":
        this.link = undefined;
        this.identify = false;
        break;
      case "arm":
        this.timers.add(action.timer);
        break;
      case "disarm":
        this.timers.delete(action.timer);
        break;
      case "state":
        this.state = action.state.name;
        break;
      case "settle":
        this.outcomes.get(action.ticket)!.push(action.error ? action.error.code : "ok");
        break;
      case "channel":
        this.told.set(action.channel, action.state.name);
        break;
    }
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.random() * items.length)];
  }

  server(text: string): void {
    const { id, action, payload } = JSON.parse(text);
    const link = this.link!;
    const refuse = this.random() < 0.1 && action !== "connect";
    if (action === "publish") this.received.set(payload.message, (this.received.get(payload.message) ?? 0) + 1);
    if (refuse && action === "subscribe") {
      link.toClient.push(JSON.stringify({ id, error: { code: "not_ready", message: "", temporary: true } }));
      return;
    }
    if (action === "subscribe") link.channels.add(payload.channel);
    if (action === "unsubscribe") link.channels.delete(payload.channel);
    link.toClient.push(JSON.stringify({ id, result: { channel: payload.channel, heartbeat_ms: 1000, limits: {} } }));
  }

  break(): void {
    if (!this.link) return;
    this.link = undefined;
    this.identify = false;
    this.feed({ on: "closed", code: this.pick([1006, 1012, 1001, 3000])!, reason: "" });
  }

  /** One thing happens. A calm network delivers; a wild one also breaks. */
  step(calm: boolean): void {
    const roll = this.random();
    if (this.link && !this.link.open) {
      this.link.open = true;
      this.feed({ on: "opened" });
    } else if (this.identify) {
      this.identify = false;
      this.feed({ on: "identified" });
    } else if (!calm && roll < 0.05) {
      this.break();
    } else if (!calm && roll < 0.2) {
      const timer = this.pick([...this.timers]);
      if (timer) this.fire(timer);
    } else if (!calm && roll < 0.35) {
      const ticket = ++this.tickets;
      this.outcomes.set(ticket, []);
      const payload = JSON.stringify({ channel: "a", message: ticket });
      this.feed({ on: "call", ticket, action: "publish", payload, waits: true });
      if (this.random() < 0.1) this.feed({ on: "abandon", ticket });
    } else if (!calm && roll < 0.5) {
      const channel = this.pick(["a", "b", "c"])!;
      if (this.wanted.has(channel)) {
        this.wanted.delete(channel);
        this.feed({ on: "unsubscribe", channel });
      } else {
        this.wanted.add(channel);
        this.feed({ on: "subscribe", channel, wish: { since: this.random() < 0.5 ? "start" : undefined } });
      }
    } else if (!calm && roll < 0.53) {
      this.feed({ on: "hint", hint: this.pick(["online", "offline", "awake"] as const)! });
    } else if (this.link?.toServer.length && (roll < 0.8 || !this.link.toClient.length)) {
      this.server(this.link.toServer.shift()!);
    } else if (this.link?.toClient.length) {
      this.feed({ on: "text", text: this.link.toClient.shift()! });
    } else if (calm) {
      for (const timer of ["retry", "resubscribe"] as const) if (this.timers.has(timer)) this.fire(timer);
    }
  }

  fire(timer: TimerName): void {
    this.timers.delete(timer);
    this.feed({ on: "timer", timer });
  }
}

function history(seed: number): void {
  const world = new World(seed);
  for (let i = 0; i < kSteps; ++i) world.step(false);
  for (let i = 0; i < 2000; ++i) world.step(true);

  expect(world.state).toBe("connected");
  for (const [ticket, outcomes] of world.outcomes) {
    expect(outcomes, `publish ${ticket} is settled once`).toHaveLength(1);
    const times = world.received.get(ticket) ?? 0;
    expect(times, `publish ${ticket} is sent at most once`).toBeLessThanOrEqual(1);
    if (outcomes[0] === "ok") expect(times).toBe(1);
    if (outcomes[0] === "queue_full" || outcomes[0] === "aborted") expect(times).toBe(0);
  }
  expect([...world.link!.channels].sort()).toEqual([...world.wanted].sort());
  for (const channel of world.wanted) expect(world.told.get(channel)).toBe("subscribed");
}

it(`settles truthfully and comes back in ${kHistories} random histories`, { timeout: 600_000 }, () => {
  for (let seed = 1; seed <= kHistories; ++seed) {
    try {
      history(seed);
    } catch (error) {
      (error as Error).message = `seed ${seed}: ${(error as Error).message}`;
      throw error;
    }
  }
});
