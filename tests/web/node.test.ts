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

  it("is refused for good with a key that nobody knows", async () => {
    const gateway = await here.gateway();
    const peal = client(gateway, { token: "no such key" });
    await expect(peal.subscribe("demo:node").ready).rejects.toMatchObject({ code: "token_invalid" });
    expect(peal.state).toMatchObject({ name: "closed", error: { code: "token_invalid", temporary: false } });
  });
});
