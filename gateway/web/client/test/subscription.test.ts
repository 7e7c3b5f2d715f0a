// What the application sees of one channel: resets between publications, who is there, the past.
import { afterEach, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { Peal, type Member, type PealOptions, type Position, type PositionStore, type WebSocketClass } from "../src/index.ts";
import { FakeGateway, type FakeGatewayOptions } from "./support/fake_gateway.ts";
import { waitFor } from "./support/wait_for.ts";

const kEpoch = "epoch001";
const at = (offset: number): Position => ({ epoch: kEpoch, offset });
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function world(intercept: FakeGatewayOptions["intercept"], options: PealOptions = {}) {
  const gateway = await FakeGateway.start({ intercept });
  const passed = WebSocket as unknown as WebSocketClass;
  const peal = new Peal(gateway.url, { WebSocket: passed, retryBase: 20, retryMax: 100, ...options });
  cleanups.push(() => gateway.kill(), () => peal.close());
  return { gateway, peal };
}

/** Answers each subscribe by the next of these results. */
function results(...all: object[]): FakeGatewayOptions["intercept"] {
  return (action, { channel }) => (action === "subscribe" ? { result: { channel, ...all.shift() } } : "default");
}

const lost = { ...at(40), recovered: false };
const recovered = { ...at(2), recovered: true, publications: [1, 2].map((offset) => ({ offset, message: offset })) };

describe("a subscription whose past is gone", () => {
  it("says so by state and by event, and goes on from there", async () => {
    const { gateway, peal } = await world(results(at(7), lost));
    const room = await peal.subscribe("room").ready;
    const resets: Position[] = [];
    room.on("reset", (position) => resets.push(position));
    gateway.closeAll(1012);
    await waitFor(() => expect(room.state).toMatchObject({ name: "subscribed", again: true, recovered: false }));
    expect(resets).toEqual([at(40)]);
  });

  it("tells a loop that asks for it, at the place where it happened, and no other", async () => {
    const { gateway, peal } = await world(results({ ...at(0) }, recovered, lost));
    const room = await peal.subscribe<number>("room").ready;
    const all: unknown[] = [];
    const plain: unknown[] = [];
    void (async () => {
      for await (const item of room.withResets()) all.push("reset" in item ? item.reset : item.message);
    })();
    void (async () => {
      for await (const { message } of room) plain.push(message);
    })();
    gateway.closeAll(1012);
    await waitFor(() => expect(all).toEqual([1, 2]));
    gateway.closeAll(1012);
    await waitFor(() => expect(all).toEqual([1, 2, at(40)]));
    expect(plain).toEqual([1, 2]);
  });
});

describe("presence", () => {
  it("is the set, then who comes and goes, and the set again", async () => {
    const { gateway, peal } = await world(results({}, {}));
    const room = peal.subscribe("room", { presence: true, data: { name: "me" } });
    const told: unknown[] = [];
    room.on("members", (members: Member[]) => told.push(members.map(({ session }) => session)));
    room.on("join", ({ session }) => told.push(`+${session}`));
    room.on("leave", ({ session }) => told.push(`-${session}`));
    await room.ready;
    expect(gateway.commands.at(-1)!.payload).toEqual({ channel: "room", presence: true, data: { name: "me" } });
    const push = (event: object) => {
      for (const { socket } of gateway.sessions) socket.send(JSON.stringify({ channel: "room", ...event }));
    };
    push({ event: "presence", members: [{ session: "1" }, { session: "2", user: "ann" }, { session: "3", user: "ann" }], count: 3, users: 2 });
    push({ event: "join", member: { session: "4", user: "bob" } });
    push({ event: "leave", member: { session: "3", user: "ann" } });
    await waitFor(() => expect(told).toEqual([["1", "2"], "+4", "-3"]));
    expect(room.members.map(({ session, user }) => user ?? session)).toEqual(["1", "bob"]);
    expect(room.users).toBe(2);
    push({ event: "presence", members: [{ session: "9" }], count: 2000, users: 2000, next: "9" });
    await waitFor(() => expect(told.at(-1)).toEqual(["9"]));
    expect([room.members.length, room.users]).toEqual([1, 2000]);
  });

  it("and the past can be asked for without subscribing", async () => {
    const page = { epoch: kEpoch, offset: 9, publications: [{ offset: 8, message: "x", key: "k" }] };
    const who = { members: [{ session: "1" }], count: 1, users: 1 };
    const { gateway, peal } = await world((action) =>
      action === "history" ? { result: page } : action === "presence" ? { result: who } : "default");
    expect(await peal.history("room", { since: at(7), limit: 1 })).toEqual({
      ...at(9), publications: [{ channel: "room", message: "x", key: "k", position: at(8) }],
    });
    expect(gateway.commands.at(-1)!.payload).toEqual({ channel: "room", since: at(7), limit: 1 });
    expect(await peal.presence("room", { limit: 10 })).toEqual(who);
    expect(gateway.commands.at(-1)!.payload).toEqual({ channel: "room", limit: 10 });
  });
});

describe("stored positions", () => {
  class Store implements PositionStore {
    readonly all = new Map<string, Position>();
    get = (channel: string) => this.all.get(channel);
    set = (channel: string, position: Position) => void this.all.set(channel, position);
    delete = (channel: string) => void this.all.delete(channel);
  }

  it("are where a subscription goes on, and follow what listeners are done with", async () => {
    const positions = new Store();
    positions.set("room", at(0));
    const { gateway, peal } = await world(results(recovered), { positions });
    const room = peal.subscribe<number>("room");
    const heard: unknown[] = [];
    room.on("message", ({ message }) => heard.push([message, positions.get("room")!.offset]));
    await room.ready;
    expect(gateway.commands.at(-1)!.payload).toEqual({ channel: "room", since: at(0) });
    await waitFor(() => expect(heard).toEqual([[1, 0], [2, 1]]));
    expect(positions.get("room")).toEqual(at(2));
    peal.close();
    expect(positions.get("room"), "a closed client keeps them").toEqual(at(2));
  });

  it("wait for the loop that is at work, are forgotten with the subscription, and yield to `since`", async () => {
    const positions = new Store();
    const { peal } = await world(results({ ...recovered, recovered: undefined }, at(50)), { positions });
    const room = peal.subscribe<number>("room", { since: "start" });
    for await (const { message } of room) {
      expect(positions.get("room")).toEqual(message === 1 ? undefined : at(1));
      if (message === 2) break;
    }
    expect(positions.get("room")).toEqual(at(2));
    room.unsubscribe();
    expect(positions.get("room")).toBeUndefined();
    await peal.subscribe("other").ready;
    expect(positions.get("other"), "where it begins counts before anything has come").toEqual(at(50));
  });
});
