// The whole client in Node, with a WebSocket class passed in, against a small gateway over real sockets.
import { afterEach, describe, expect, it, vi } from "vitest";
import WebSocket from "ws";
import { Peal, PealError, type ConnectionState, type PealOptions, type WebSocketClass } from "../src/index.ts";
import { FakeGateway, type FakeGatewayOptions } from "./support/fake_gateway.ts";
import { waitFor } from "./support/wait_for.ts";

const cleanups: (() => unknown)[] = [];

async function gatewayWith(options: FakeGatewayOptions = {}): Promise<FakeGateway> {
  const gateway = await FakeGateway.start(options);
  cleanups.push(() => gateway.kill());
  return gateway;
}

function client(url: string, options: PealOptions = {}): Peal {
  const peal = new Peal(url, {
    WebSocket: WebSocket as unknown as WebSocketClass, retryBase: 20, retryMax: 100, ...options,
  });
  cleanups.push(() => peal.close());
  return peal;
}

function until(peal: Peal, name: ConnectionState["name"], accept = (_: any) => true): Promise<any> {
  if (peal.state.name === name && accept(peal.state)) return Promise.resolve(peal.state);
  return new Promise((resolve) => {
    const off = peal.on("state", (state) => {
      if (state.name === name && accept(state)) {
        off();
        resolve(state);
      }
    });
  });
}

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe("the client", () => {
  it("sends what was published before the connection stood, and hears its own message", async () => {
    const gateway = await gatewayWith();
    const peal = client(gateway.url);
    const room = peal.subscribe<{ text: string }>("room");
    const published = peal.publish("room", { text: "early" });
    for await (const publication of room) {
      expect(publication).toEqual({ channel: "room", message: { text: "early" } });
      break;
    }
    await expect(published).resolves.toEqual({});
  });

  it("gives a loop what came between `ready` and its begin, in order", async () => {
    const gateway = await gatewayWith();
    const room = await client(gateway.url).subscribe<number>("room").ready;
    for (let i = 0; i < 5; ++i) gateway.publish("room", i);
    const got: number[] = [];
    for await (const { message } of room) if (got.push(message) === 5) break;
    expect(got).toEqual([0, 1, 2, 3, 4]);
  });

  it("asks the server once for a channel that is held several times", async () => {
    const gateway = await gatewayWith();
    const peal = client(gateway.url);
    const [first, second] = [peal.subscribe("room"), peal.subscribe("room")];
    const heard: string[] = [];
    first.on("message", () => heard.push("first"));
    second.on("message", () => heard.push("second"));
    await Promise.all([first.ready, second.ready]);
    const third = peal.subscribe("room");
    expect((await third.ready).state.name).toBe("subscribed");
    first.unsubscribe();
    await peal.publish("room", 1);
    await waitFor(() => expect(heard).toEqual(["second"]));
    second.unsubscribe();
    third.unsubscribe();
    await waitFor(() =>
      expect(gateway.commands.filter(({ action }) => action.endsWith("subscribe")).map(({ action }) => action))
        .toEqual(["subscribe", "unsubscribe"]));
    await peal.publish("room", 2);
    expect(heard).toEqual(["second"]);
  });

  it("refuses a beginning for a channel that is held already", async () => {
    const peal = client((await gatewayWith()).url);
    peal.subscribe("room");
    expect(() => peal.subscribe("room", { since: "start" })).toThrow(/subscribed already/);
  });

  it("lives beside others in one process", async () => {
    const [one, other] = [await gatewayWith({ name: "one" }), await gatewayWith({ name: "other" })];
    const clients = [client(one.url), client(other.url), client(one.url)];
    const states = await Promise.all(clients.map((peal) => until(peal, "connected")));
    expect(states.map(({ gateway }) => gateway)).toEqual(["one", "other", "one"]);
    const heard = clients.map((peal) => peal.subscribe("room"));
    const counts = heard.map(() => 0);
    heard.forEach((room, i) => room.on("message", () => ++counts[i]!));
    await Promise.all(heard.map(({ ready }) => ready));
    await clients[0]!.publish("room", "hello");
    await waitFor(() => expect(counts).toEqual([1, 0, 1]));
    clients[2]!.close();
    expect(clients.map(({ state }) => state.name)).toEqual(["connected", "connected", "closed"]);
  });

  it("comes back when the gateway was killed and started again, and hears on", async () => {
    const gateway = await gatewayWith({ name: "before" });
    const peal = client(gateway.url);
    const room = await peal.subscribe("room").ready;
    const states: string[] = [];
    room.on("state", (state) => states.push(state.name));
    await gateway.kill();
    const waiting = await until(peal, "waiting");
    expect(waiting.error).toBeInstanceOf(PealError);
    expect(waiting.error.temporary).toBe(true);
    const published = peal.publish("room", "while away");
    const again = await gatewayWith({ port: gateway.port, name: "after" });
    expect(await until(peal, "connected")).toMatchObject({ again: true, gateway: "after" });
    for await (const { message } of room) {
      expect(message).toBe("while away");
      break;
    }
    await published;
    expect(states).toEqual(["subscribing", "subscribed"]);
    expect(room.state).toMatchObject({ name: "subscribed", again: true });
    expect(again.commands.map(({ action }) => action)).toEqual(["connect", "subscribe", "publish"]);
  });

  it("notices a gateway that went silent, and comes back when it speaks again", async () => {
    const gateway = await gatewayWith({ heartbeatMs: 60 });
    const peal = client(gateway.url, { checkTimeout: 60, connectTimeout: 200 });
    await until(peal, "connected");
    gateway.silent = true;
    const begin = performance.now();
    expect((await until(peal, "waiting")).error.code).toBe("link_silent");
    expect(performance.now() - begin).toBeLessThan(3000);  // without its options it would take longer
    gateway.silent = false;
    expect((await until(peal, "connected")).again).toBe(true);
  });

  it("does not suspect a quiet gateway that sends heartbeats", async () => {
    const gateway = await gatewayWith({ heartbeatMs: 40 });
    const peal = client(gateway.url);
    await until(peal, "connected");
    const states: string[] = [];
    peal.on("state", ({ name }) => states.push(name));
    await waitFor(() => expect(gateway.heartbeats).toBeGreaterThan(10));
    expect(states).toEqual([]);
  });

  it("tells an unknown outcome for what was on its way", async () => {
    const gateway = await gatewayWith({ intercept: (action) => (action === "publish" ? {} : "default") });
    const peal = client(gateway.url);
    await until(peal, "connected");
    const published = peal.publish("room", 1);
    await waitFor(() => expect(gateway.commands.at(-1)!.action).toBe("publish"));
    gateway.closeAll(1012, "restarting");
    await expect(published).rejects.toMatchObject({ code: "publish_outcome_unknown", temporary: true });
  });

  it("goes away for good when it is told to, and ends its loops with the reason", async () => {
    const gateway = await gatewayWith();
    const peal = client(gateway.url);
    const room = await peal.subscribe("room").ready;
    const loop = (async () => {
      for await (const _ of room);
    })();
    gateway.closeAll(3500, "begone");
    await expect(loop).rejects.toMatchObject({ code: "disconnected_for_good", message: "begone" });
    expect(peal.state).toMatchObject({ name: "closed", error: { closeCode: 3500, temporary: false } });
    await expect(peal.publish("room", 1)).rejects.toMatchObject({ code: "client_closed" });
    expect(() => peal.subscribe("room")).toThrow(PealError);
  });

  it("is refused for its Origin with the server's own words, and for good", async () => {
    const refusal = {
      status: 403,
      body: { code: "origin_refused", detail: "http://evil is not in allowed_origins" },
    };
    const gateway = await gatewayWith({ refusal });
    const state = await until(client(gateway.url), "closed");
    expect(state.error).toMatchObject({
      code: "origin_refused", message: "http://evil is not in allowed_origins", temporary: false,
    });
  });

  it("keeps trying when the refusal is temporary", async () => {
    const gateway = await gatewayWith({ refusal: { status: 503, body: { code: "sessions_max", detail: "full" } } });
    const peal = client(gateway.url);
    await until(peal, "waiting", ({ error }) => error.code === "sessions_max");
    expect((await until(peal, "connecting", ({ attempt }) => attempt >= 3)).attempt).toBeGreaterThanOrEqual(3);
  });

  it("asks for a token at each connect", async () => {
    const gateway = await gatewayWith();
    let asked = 0;
    const peal = client(gateway.url, { token: async () => `token ${++asked}` });
    await until(peal, "connected");
    gateway.closeAll(1012);
    await until(peal, "waiting");
    await until(peal, "connected");
    expect(gateway.commands.map(({ payload }) => payload.token)).toEqual(["token 1", "token 2"]);
  });

  it("measures the round trip, and says when there is nothing to measure", async () => {
    const gateway = await gatewayWith();
    const peal = client(gateway.url);
    await expect(peal.ping()).rejects.toMatchObject({ code: "not_connected" });
    await until(peal, "connected");
    expect(await peal.ping()).toBeGreaterThan(0);
  });

  it("rejects a message that JSON cannot hold, and an impossible address", async () => {
    const peal = client((await gatewayWith()).url);
    const circle: { self?: object } = {};
    circle.self = circle;
    for (const message of [undefined, () => 1, 7n, circle]) {
      await expect(peal.publish("room", message)).rejects.toMatchObject({ code: "message_invalid" });
    }
    expect(() => client("/ws")).toThrow(/is no address/);
    vi.stubGlobal("WebSocket", undefined);  // newer Nodes have one
    cleanups.push(() => vi.unstubAllGlobals());
    const only = { WebSocket: undefined, transports: ["websocket" as const] };
    expect(() => client("ws://x", only)).toThrow(/there is no WebSocket here/);
  });

  it("tells of several channels, published to at once, how each of them ended", async () => {
    const refused = { error: { code: "permission_denied", message: "no", temporary: false } };
    const gateway = await gatewayWith({
      intercept: (action) => (action === "publish" ? { result: [{ epoch: "e", offset: 1 }, refused] } : "default"),
    });
    const [first, second] = await client(gateway.url).publish(["a", "b"], 1);
    expect(gateway.commands.at(-1)!.payload).toEqual({ channels: ["a", "b"], message: 1 });
    expect(first).toEqual({ epoch: "e", offset: 1 });
    expect(second!.error).toBeInstanceOf(PealError);
    expect(second!.error).toMatchObject({ code: "permission_denied", temporary: false });
  });

  it("gives a publish up by its signal", async () => {
    const peal = client("ws://127.0.0.1:9/ws");
    const control = new AbortController();
    const published = peal.publish("room", 1, { signal: control.signal });
    control.abort();
    await expect(published).rejects.toMatchObject({ code: "aborted" });
    await expect(peal.publish("room", 1, { signal: control.signal })).rejects.toMatchObject({ code: "aborted" });
  });

  it("keeps the order of what a listener does while others are told", async () => {
    const gateway = await gatewayWith();
    const peal = client(gateway.url);
    peal.on("state", ({ name }) => {
      if (name === "connected") void peal.publish("room", "from the listener");
    });
    void peal.publish("room", "before");
    const room = peal.subscribe("room");
    const got: unknown[] = [];
    for await (const { message } of room) if (got.push(message) === 2) break;
    expect(got).toEqual(["before", "from the listener"]);
  });

  it("rejects `ready` of a subscription that is given up before it was subscribed", async () => {
    const gateway = await gatewayWith({ intercept: (action) => (action === "subscribe" ? {} : "default") });
    const peal = client(gateway.url);
    const [first, second] = [peal.subscribe("first").ready, peal.subscribe("second")];
    second.unsubscribe();
    await expect(second.ready).rejects.toMatchObject({ code: "client_closed" });
    peal.close();
    await expect(first).rejects.toMatchObject({ code: "client_closed" });
  });

  it("survives a listener that throws, and lets the error be seen", async () => {
    const gateway = await gatewayWith();
    const peal = client(gateway.url);
    const seen = new Promise((resolve) => {
      const own = process.listeners("uncaughtException");
      process.removeAllListeners("uncaughtException");
      process.once("uncaughtException", (error) => {
        for (const listener of own) process.on("uncaughtException", listener);
        resolve(error.message);
      });
    });
    peal.on("state", ({ name }) => {
      if (name === "connected") throw new Error("oops");
    });
    expect(await seen).toBe("oops");
    await expect(peal.publish("room", 1)).resolves.toEqual({});
  });
});
