// The client in Node against a real gateway: with a WebSocket class passed in, and, where Node has one
// of its own, without.
import { afterEach, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { Peal, type PealOptions, type WebSocketClass } from "../../gateway/web/client/src/index.ts";
import { until, type Gateway } from "./support/gateway.ts";
import { stage } from "./support/stage.ts";

const here = stage();
const clients: Peal[] = [];
afterEach(() => {
  for (const peal of clients.splice(0)) peal.close();
});

function client(gateway: Gateway, options: PealOptions = {}): Peal {
  const passed = WebSocket as unknown as WebSocketClass;
  const peal = new Peal(`${gateway.origin}/ws`, { WebSocket: passed, retryMax: 200, ...options });
  clients.push(peal);
  return peal;
}

describe("the client in Node", () => {
  it("publishes, hears, and measures", async () => {
    const gateway = await here.gateway();
    const [one, other] = [client(gateway), client(gateway)];
    const room = await other.subscribe<number>("demo:node").ready;
    const sent = Array.from({ length: 200 }, (_, i) => i);
    const results = await Promise.all(sent.map((i) => one.publish("demo:node", i)));
    expect(results).toHaveLength(200);
    const heard: number[] = [];
    for await (const { message } of room) if (heard.push(message) === sent.length) break;
    expect(heard).toEqual(sent);
    expect(await one.ping()).toBeGreaterThan(0);
  });

  it("is back after the gateway was killed", async () => {
    const gateway = await here.gateway();
    const peal = client(gateway);
    const room = await peal.subscribe("demo:node").ready;
    await gateway.stop("SIGKILL");
    await until(() => peal.state.name === "waiting", "the client has noticed");
    const published = peal.publish("demo:node", "kept until it is back");
    await gateway.start();
    for await (const { message } of room) {
      expect(message).toBe("kept until it is back");
      break;
    }
    await published;
    expect(peal.state).toMatchObject({ name: "connected", again: true });
  });

  it("notices each message that is lost on the way, also the last, and hears it all the same", async () => {
    const gateway = await here.gateway("gateway-1", ["--limits-position-interval", "1s"]);
    let seen = 0;
    let lost = 0;
    /** Every seventh message, and the very last one, never reach the client. */
    class Lossy extends WebSocket {
      override emit(event: string | symbol, ...values: any[]): boolean {
        const text = event === "message" ? String(values[0]) : "";
        const isMessage = text.startsWith('{"event":"message"');
        if (isMessage && (++seen % 7 === 0 || text.includes('"message":200}')) && ++lost) return true;
        return super.emit(event, ...values);
      }
    }
    const peal = client(gateway, { WebSocket: Lossy as unknown as WebSocketClass });
    const room = await peal.subscribe<number>("log:lossy").ready;
    const states: string[] = [];
    peal.on("state", ({ name }) => states.push(name));
    const heard: number[] = [];
    room.on("message", ({ message }) => heard.push(message));
    const publisher = client(gateway);
    for (let i = 1; i <= 200; ++i) await publisher.publish("log:lossy", i);
    await until(() => heard.length >= 200, "everything is heard");
    expect(heard).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
    expect(lost).toBeGreaterThan(5);
    expect(states, "the connection is fine all the while").toEqual([]);
  });

  it.each(["websocket", "sse"] as const)("knows who is in a channel, over %s", async (transport) => {
    const gateway = await here.gateway();
    const [one, other] = [client(gateway, { transports: [transport] }), client(gateway, { transports: [transport] })];
    const room = one.subscribe("log:people", { presence: true, data: { name: "one" } });
    const told: string[] = [];
    room.on("join", ({ data }) => told.push(`+${data.name}`));
    room.on("leave", ({ data }) => told.push(`-${data.name}`));
    await until(() => room.members.length === 1, "it sees itself");
    other.subscribe("log:people", { presence: true, data: { name: "other" } });
    await until(() => told.length === 1, "somebody joins");
    expect(room.members.map(({ data }) => data.name).sort()).toEqual(["one", "other"]);
    expect(await other.presence("log:people", { limit: 0 })).toMatchObject({ count: 2, users: 2 });
    other.close();
    await until(() => told.length === 2, "somebody leaves");
    expect(told).toEqual(["+other", "-other"]);
    expect(room.users).toBe(1);
  });

  it("is refused for good with a key that nobody knows", async () => {
    const gateway = await here.gateway();
    const peal = client(gateway, { token: "no such key" });
    await expect(peal.subscribe("demo:node").ready).rejects.toMatchObject({ code: "token_invalid" });
    expect(peal.state).toMatchObject({ name: "closed", error: { code: "token_invalid", temporary: false } });
  });
});
