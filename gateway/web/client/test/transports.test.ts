// The whole client in Node over each way to a server, and its choice between them.
import { afterEach, describe, expect, it, vi } from "vitest";
import WebSocket from "ws";
import { Peal, type ConnectionState, type PealOptions, type WebSocketClass } from "../src/index.ts";
import { FakeGateway, type FakeGatewayOptions } from "./support/fake_gateway.ts";
import { waitFor } from "./support/wait_for.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function gatewayWith(options: FakeGatewayOptions = {}): Promise<FakeGateway> {
  const gateway = await FakeGateway.start(options);
  cleanups.push(() => gateway.kill());
  return gateway;
}

function client(url: string, options: PealOptions = {}): Peal {
  const passed = WebSocket as unknown as WebSocketClass;
  const peal = new Peal(url, { WebSocket: passed, retryBase: 20, retryMax: 100, ...options });
  cleanups.push(() => peal.close());
  return peal;
}

function connected(peal: Peal): Promise<ConnectionState & { name: "connected" }> {
  return waitFor(() => {
    if (peal.state.name !== "connected") throw new Error(`it is ${peal.state.name}`);
    return peal.state;
  });
}

function heardBy(peal: Peal, channel: string): unknown[] {
  const heard: unknown[] = [];
  peal.subscribe(channel).on("message", ({ message }) => heard.push(message));
  return heard;
}

describe("the way that is taken", () => {
  it("is a WebSocket where one can be made", async () => {
    const peal = client((await gatewayWith()).url);
    expect((await connected(peal)).transport).toBe("websocket");
  });

  it("is a stream of events where WebSockets are blocked, and publishes go by requests", async () => {
    const gateway = await gatewayWith({ ways: ["sse", "poll"] });
    const peal = client(gateway.url, { token: "secret" });
    const room = peal.subscribe<number>("room");
    await room.ready;
    expect(peal.state).toMatchObject({ name: "connected", transport: "sse" });
    for (let i = 0; i < 5; ++i) await peal.publish("room", i);
    const got: number[] = [];
    for await (const { message } of room) if (got.push(message) === 5) break;
    expect(got).toEqual([0, 1, 2, 3, 4]);
    expect(new Set(gateway.shown)).toEqual(new Set(["Bearer secret"]));
  });

  it("is long-poll where streams are blocked too", async () => {
    const gateway = await gatewayWith({ ways: ["poll"] });
    const peal = client(gateway.url);
    const heard = heardBy(peal, "room");
    await waitFor(() => expect(peal.state).toMatchObject({ name: "connected", transport: "poll" }));
    const polls = () => gateway.commands.filter(({ action }) => action === "poll").length;
    await waitFor(() => expect(polls()).toBe(2));
    gateway.publish("room", "first");
    await waitFor(() => expect(heard).toEqual(["first"]));
    await waitFor(() => expect(polls()).toBe(3));
  });

  it("stays the WebSocket when the server is away, or says no", async () => {
    const gateway = await gatewayWith();
    const peal = client(gateway.url);
    await connected(peal);
    await gateway.kill();
    await waitFor(() => expect((peal.state as { attempt?: number }).attempt).toBeGreaterThan(6));
    await gatewayWith({ port: gateway.port });
    expect((await connected(peal)).transport).toBe("websocket");
    const refused = await gatewayWith({ refusal: { status: 403, body: { code: "origin_refused" } } });
    const other = client(refused.url);
    await waitFor(() => expect(other.state.name).toBe("closed"));
  });

  it("is what is allowed, and nothing else", async () => {
    const gateway = await gatewayWith();
    expect((await connected(client(gateway.url, { transports: ["poll"] }))).transport).toBe("poll");
    expect((await connected(client(gateway.url, { WebSocket: undefined }))).transport).toMatch(/sse|websocket/);
    const blocked = await gatewayWith({ ways: ["sse"] });
    const peal = client(blocked.url, { transports: ["websocket"] });
    await waitFor(() => expect(peal.state).toMatchObject({ error: { code: "connection_refused" } }));
  });
});

describe("over HTTP", () => {
  it("wishes that come together are one request, and a changed set is one more", async () => {
    const gateway = await gatewayWith({ ways: ["sse"] });
    const peal = client(gateway.url, { transports: ["sse"] });
    const rooms = Array.from({ length: 20 }, (_, i) => peal.subscribe(`room:${i}`));
    await Promise.all(rooms.map(({ ready }) => ready));
    const asked = () => gateway.commands.filter(({ action }) => action === "stream").map(({ payload }) => payload.length);
    expect(asked()).toEqual([20]);
    for (const room of rooms.slice(0, 5)) room.unsubscribe();
    await peal.subscribe("another").ready;
    expect(asked()).toEqual([20, 16]);
    expect(gateway.streams.size).toBe(1);
    rooms[7]!.unsubscribe();
    await waitFor(() => expect(asked()).toEqual([20, 16, 15]));
  });

  it("publishes keep their order, and each ends by its own answer", async () => {
    let refused = 0;
    const no = { error: { code: "permission_denied", message: "no", temporary: false } };
    const gateway = await gatewayWith({
      intercept: (action, { message }) => (action === "publish" && message === 7 && ++refused ? no : "default"),
    });
    const peal = client(gateway.url, { transports: ["sse"] });
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => peal.publish("room", i)));
    expect(outcomes.filter(({ status }) => status === "rejected")).toMatchObject([{ reason: { code: "permission_denied" } }]);
    expect(gateway.published.map(({ message }) => message)).toEqual([...Array(20).keys()].filter((i) => i !== 7));
    expect(refused).toBe(1);
  });

  it("a publish whose answer is lost has an unknown outcome, and is not sent again", async () => {
    const gateway = await gatewayWith({ intercept: (action) => (action === "publish" ? {} : "default") });
    const peal = client(gateway.url, { transports: ["poll"] });
    await expect(peal.publish("room", 1)).rejects.toMatchObject({ code: "publish_outcome_unknown", temporary: true });
    expect(gateway.commands.filter(({ action }) => action === "publish")).toHaveLength(1);
  });

  it("a stream that the server ends says why, and is made again", async () => {
    const gateway = await gatewayWith();
    const peal = client(gateway.url, { transports: ["sse"] });
    const heard = heardBy(peal, "room");
    await connected(peal);
    await waitFor(() => expect(gateway.streams.size).toBe(1));
    const states: ConnectionState[] = [];
    peal.on("state", (state) => states.push(state));
    gateway.closeAll(1012, "restarting");
    await waitFor(() => expect(states[0]).toMatchObject({ name: "waiting", error: { code: "restarting" } }));
    await waitFor(() => expect(gateway.streams.size).toBe(1));
    gateway.publish("room", "after");
    await waitFor(() => expect(heard).toEqual(["after"]));
    gateway.closeAll(3500, "begone");
    await waitFor(() => expect(peal.state).toMatchObject({ name: "closed", error: { code: "disconnected_for_good" } }));
  });

  it("a hint that the page woke up makes the stream anew, since nobody can know whether it lives", async () => {
    vi.stubGlobal("document", Object.assign(new EventTarget(), { visibilityState: "visible" }));
    const page = new EventTarget();
    vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
    cleanups.push(() => vi.unstubAllGlobals());
    const gateway = await gatewayWith();
    const peal = client(gateway.url, { transports: ["sse"] });
    await peal.subscribe("room").ready;
    page.dispatchEvent(new Event("online"));
    const streams = () => gateway.commands.filter(({ action }) => action === "stream").length;
    await waitFor(() => expect(streams()).toBe(2));
    expect(peal.state.name).toBe("connected");
  });
});
