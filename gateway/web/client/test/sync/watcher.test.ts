// How a replica hears news over a client's subscriptions: what a subscription says, as news or as a
// reason to fetch.
import { describe, expect, it } from "vitest";
import { Emitter } from "../../src/emitter.ts";
import { PealError } from "../../src/errors.ts";
import type { Peal } from "../../src/peal.ts";
import { PealWatcher } from "../../src/sync/watcher.ts";
import type { Publication, SubscribeOptions, SubscriptionState } from "../../src/types.ts";

class FakeSubscription extends Emitter<{ message: Publication; state: SubscriptionState; reset: object }> {
  state: SubscriptionState = { name: "subscribing" };
  given = false;

  unsubscribe(): void {
    this.given = true;
  }

  enter(state: SubscriptionState): void {
    this.state = state;
    this.emit("state", state);
  }
}

class FakePeal extends Emitter<{ state: { name: string } }> {
  readonly subscription = new FakeSubscription();
  readonly asked: SubscribeOptions[] = [];
  /** The application has a subscription of its own already. */
  held = false;

  subscribe(_: string, options: SubscribeOptions = {}): FakeSubscription {
    this.asked.push(options);
    if (this.held && options.since) throw new PealError("option_invalid", "subscribed already");
    return this.subscription;
  }
}

const kAt = { epoch: "aaaaaaaa", offset: 7 };

function watching(peal = new FakePeal()) {
  const told: unknown[] = [];
  const watcher = new PealWatcher(peal as unknown as Peal);
  const stop = watcher.watch("demo:a", kAt, {
    heard: (remote) => told.push(remote),
    stale: () => told.push("stale"),
    failed: (code) => told.push(code),
  });
  return { peal, watcher, subscription: peal.subscription, told, stop };
}

describe("a watched document", () => {
  it("is told by value, by its deletion, or to be fetched where the publication does not carry it", () => {
    const { subscription, told } = watching();
    const say = (more: object) => subscription.emit("message", { channel: "demo:a", message: undefined, position: kAt, ...more });
    say({ message: { a: 1 } });
    say({ delete: true });
    say({ notice: true });
    say({ type: "text/plain", text: "x" });
    expect(told).toEqual([
      { is: "value", tag: kAt, value: { a: 1 } }, { is: "deleted", tag: kAt }, "stale", "stale",
    ]);
  });

  it("is fetched unless the subscription says that nothing was missed", () => {
    const { subscription, told } = watching();
    subscription.enter({ name: "subscribed", again: false });
    expect(told).toEqual(["stale"]);
    subscription.enter({ name: "subscribed", again: true, recovered: true });
    expect(told).toEqual(["stale"]);
    subscription.enter({ name: "subscribed", again: true, recovered: false });
    subscription.emit("reset", kAt);
    expect(told).toEqual(["stale", "stale", "stale"]);
  });

  it("is subscribed from where it is, or from now on where the application was first", () => {
    expect(watching().peal.asked).toEqual([{ since: kAt }]);
    const shared = new FakePeal();
    shared.held = true;
    shared.subscription.state = { name: "subscribed", again: false };
    const { told } = watching(shared);
    expect(shared.asked.map(({ since }) => since)).toEqual([kAt, undefined]);
    expect(told).toEqual(["stale"]);
  });

  it("that may not be followed is said so, and one that is given up is unsubscribed", () => {
    const { subscription, told, stop } = watching();
    subscription.enter({ name: "closed", error: new PealError("permission_denied", "no") });
    expect(told).toEqual(["permission_denied"]);
    stop();
    expect(subscription.given).toBe(true);
  });

  it("is tried again at once when the connection is back", () => {
    const { peal, watcher } = watching();
    let backs = 0;
    const stop = watcher.onBack(() => ++backs);
    for (const name of ["waiting", "connecting", "connected"]) peal.emit("state", { name });
    stop();
    peal.emit("state", { name: "connected" });
    expect(backs).toBe(1);
  });
});
