// The client in a real browser against a real gateway. Each test's page keeps its client in
// `window.peal`, and every state it went through in `window.states`.
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import type { ConnectionState, Peal, PealOptions, Publication, Subscription } from "../../gateway/web/client/src/index.ts";
import { stage } from "./support/stage.ts";

declare global {
  interface Window {
    client: typeof import("../../gateway/web/client/src/index.ts");
    peal: Peal;
    room: Subscription;
    states: ConnectionState[];
    heard: unknown[];
  }
}

const here = stage();
/** Short enough to see a silent gateway within seconds. */
const kLively = ["--limits-ping-interval", "1s", "--limits-pong-timeout", "500ms"];

/** Imports the client into the page. As text, since the test runner would make the import its own. */
function load(page: Page, from: string): Promise<unknown> {
  return page.evaluate(`import("${from}/client.js").then((client) => void (window.client = client))`);
}

/** Makes a client in the page; `from` is where its code and its gateway are. */
async function connect(page: Page, from: string, options: PealOptions = {}): Promise<void> {
  await load(page, from);
  await page.evaluate(({ from, options }) => {
    const { Peal } = window.client;
    window.states = [];
    window.heard = [];
    window.peal = new Peal(`${from}/ws`, options);
    window.states.push(window.peal.state);
    window.peal.on("state", (state) => window.states.push(state));
  }, { from, options });
}

/** Subscribes to a channel; what comes is kept in `window.heard`. */
function listen(page: Page, channel: string): Promise<void> {
  return page.evaluate(async (channel) => {
    window.room = window.peal.subscribe(channel);
    window.room.on("message", ({ message }: Publication) => window.heard.push(message));
    await window.room.ready;
  }, channel);
}

async function untilState(page: Page, name: ConnectionState["name"], timeout = 60_000): Promise<any> {
  await page.waitForFunction((name) => window.peal.state.name === name, name, { timeout, polling: 20 });
  return page.evaluate(() => JSON.parse(JSON.stringify(
    { ...window.peal.state, error: "error" in window.peal.state ? { ...window.peal.state.error } : undefined })));
}

/** How the client first put it that the connection is away; it may be trying again by now. */
async function untilLost(page: Page): Promise<any> {
  await page.waitForFunction(() => window.states.some(({ name }) => name === "waiting"));
  return page.evaluate(() => {
    const state = window.states.find(({ name }) => name === "waiting") as ConnectionState & { name: "waiting" };
    return { ...state, error: { ...state.error } };
  });
}

async function untilHeard(page: Page, messages: unknown[]): Promise<void> {
  await page.waitForFunction((count) => window.heard.length >= count, messages.length, { polling: 20 });
  expect(await page.evaluate(() => window.heard)).toEqual(messages);
}

describe("the client in a browser", () => {
  it("publishes before the connection is open, and hears it", async () => {
    const gateway = await here.gateway();
    const page = await here.blankPage(gateway);
    await load(page, gateway.origin);
    const heard = await page.evaluate(async () => {
      const peal = new window.client.Peal("/ws");
      const room = peal.subscribe("demo:early");
      const state = peal.state.name;
      const published = peal.publish("demo:early", { first: [1, "2", null] });
      for await (const { message } of room) return { state, message, result: await published };
      return undefined;
    });
    expect(heard).toEqual({ state: "connecting", message: { first: [1, "2", null] }, result: {} });
  });

  it("is told the gateway's name, and measures the round trip", async () => {
    const gateway = await here.gateway("gateway-7");
    const page = await here.blankPage(gateway);
    await connect(page, gateway.origin);
    expect(await untilState(page, "connected")).toMatchObject({ gateway: "gateway-7", again: false });
    expect(await page.evaluate(() => window.peal.ping())).toBeGreaterThan(0);
  });

  it("gets typed errors for what is not allowed", async () => {
    const gateway = await here.gateway();
    const page = await here.blankPage(gateway);
    await connect(page, gateway.origin);
    const errors = await page.evaluate(async () => {
      const { PealError } = window.client;
      const describe = (error: any) => [error instanceof PealError, error.code, error.temporary];
      return [
        await window.peal.publish("secret", 1).catch(describe),
        await window.peal.subscribe("secret").ready.catch(describe),
        await window.peal.publish("demo:\u0007", 1).catch(describe),
      ];
    });
    expect(errors).toEqual([
      [true, "permission_denied", false],
      [true, "permission_denied", false],
      [true, "channel_name_invalid", false],
    ]);
  });

  it("lets several clients live in one page", async () => {
    const gateway = await here.gateway();
    const page = await here.blankPage(gateway);
    await load(page, gateway.origin);
    const heard = await page.evaluate(async () => {
      const clients = [1, 2, 3].map(() => new window.client.Peal("/ws"));
      const rooms = clients.map((peal) => peal.subscribe("demo:several"));
      await Promise.all(rooms.map(({ ready }) => ready));
      await clients[0]!.publish("demo:several", "to all");
      const firsts = await Promise.all(rooms.map((room) => room[Symbol.asyncIterator]().next()));
      const sessions = clients.map(({ state }) => (state as any).session);
      return { messages: firsts.map(({ value }) => value.message), sessions: new Set(sessions).size };
    });
    expect(heard).toEqual({ messages: ["to all", "to all", "to all"], sessions: 3 });
  });

  it("publishes to several channels at once, and is told how each ended", async () => {
    const gateway = await here.gateway();
    const page = await here.blankPage(gateway);
    await connect(page, gateway.origin);
    await listen(page, "demo:second");
    const ended = await page.evaluate(async () => {
      const all = await window.peal.publish(["demo:first", "secret", "demo:second"], "to several");
      return all.map(({ error }) => error?.code);
    });
    expect(ended).toEqual([undefined, "permission_denied", undefined]);
    await untilHeard(page, ["to several"]);
  });

  it("gets many messages in order, each once", async () => {
    const gateway = await here.gateway();
    const page = await here.blankPage(gateway);
    await connect(page, gateway.origin);
    await listen(page, "demo:many");
    await page.evaluate(() =>
      Promise.all(Array.from({ length: 900 }, (_, i) => window.peal.publish("demo:many", i))));
    await untilHeard(page, Array.from({ length: 900 }, (_, i) => i));
  });
});

describe("a gateway that goes away", () => {
  it("frozen by SIGSTOP is noticed, said, and taken up again after SIGCONT", async () => {
    const gateway = await here.gateway("gateway-1", kLively);
    const page = await here.blankPage(gateway);
    await connect(page, gateway.origin, { checkTimeout: 1000, connectTimeout: 2000, retryMax: 500 });
    await listen(page, "demo:frozen");
    await gateway.freeze();
    const published = page.evaluate(() => window.peal.publish("demo:frozen", "lost?").catch(({ code }) => code));
    const waiting = await untilLost(page);
    expect(waiting.error).toMatchObject({ code: "link_silent", temporary: true });
    expect(await published).toBe("publish_outcome_unknown");
    const queued = page.evaluate(() => window.peal.publish("demo:frozen", "kept"));
    gateway.thaw();
    expect(await untilState(page, "connected")).toMatchObject({ again: true });
    await queued;
    await page.waitForFunction(() => window.heard.at(-1) === "kept");
    expect(await page.evaluate(() => window.room.state)).toMatchObject({ name: "subscribed", again: true });
  });

  it("killed and started again is back by itself, with the same subscriptions", async () => {
    const gateway = await here.gateway();
    const page = await here.blankPage(gateway);
    await connect(page, gateway.origin, { retryMax: 500 });
    await listen(page, "demo:killed");
    await gateway.stop("SIGKILL");
    await untilLost(page);
    await gateway.start();
    expect(await untilState(page, "connected")).toMatchObject({ again: true });
    await page.evaluate(() => window.peal.publish("demo:killed", "hello again"));
    await untilHeard(page, ["hello again"]);
  });

  it("stopped by SIGTERM says that it restarts", async () => {
    const gateway = await here.gateway();
    const page = await here.blankPage(gateway);
    await connect(page, gateway.origin, { retryBase: 2000 });
    await untilState(page, "connected");
    await gateway.stop();
    const { error } = await untilLost(page);
    expect(error).toMatchObject({ code: "restarting", closeCode: 1012, temporary: true });
  });
});

describe("a network that goes away", () => {
  it("is told by state while the browser is offline, and the client is back when it is online", async () => {
    const gateway = await here.gateway();
    const page = await here.blankPage(gateway);
    await connect(page, gateway.origin, { checkTimeout: 1000, connectTimeout: 2000, retryMax: 500 });
    await listen(page, "demo:offline");
    await page.context().setOffline(true);
    const waiting = await untilLost(page);
    expect(waiting).toMatchObject({ offline: true, error: { code: "link_silent", temporary: true } });
    const attempts = await page.evaluate(() => window.states.length);
    await page.waitForFunction((seen) => window.states.length > seen + 2, attempts);
    expect(await page.evaluate(() => navigator.onLine)).toBe(false);
    expect(await page.evaluate(() => window.peal.state.name)).not.toBe("connected");
    await page.context().setOffline(false);
    expect(await untilState(page, "connected")).toMatchObject({ again: true });
    await page.evaluate(() => window.peal.publish("demo:offline", "online"));
    await untilHeard(page, ["online"]);
  });

  it("makes the client try at once when it is back, however long it meant to wait", async () => {
    const gateway = await here.gateway();
    const page = await here.blankPage(gateway);
    await load(page, gateway.origin);
    await gateway.stop("SIGKILL");
    await page.evaluate(() => void (Math.random = () => 1));
    await connect(page, gateway.origin, { retryBase: 600_000, retryMax: 600_000 });
    expect((await untilState(page, "waiting")).retryIn).toBe(600_000);
    await gateway.start();
    await page.evaluate(() => void window.dispatchEvent(new Event("online")));
    expect(await untilState(page, "connected")).toMatchObject({ gateway: "gateway-1" });
  });
});

describe("a page of another origin", () => {
  it("is refused with a reason that names the cause, and does not try for ever", async () => {
    const gateway = await here.gateway();
    const page = await here.strangePage();
    const origin = await page.evaluate(() => location.origin);
    await connect(page, gateway.origin);
    const state = await untilState(page, "closed");
    expect(state.error).toMatchObject({ code: "origin_refused", temporary: false });
    expect(await page.evaluate(() => (window.peal.state as any).error.message)).toContain(origin);
    expect(await page.evaluate(() => window.peal.publish("demo:a", 1).catch(({ code }) => code))).toBe("client_closed");
    expect(gateway.log).toContain(origin);
  });

  it("is let in when it is allowed, with the client of the gateway's own bundle", async () => {
    const page = await here.strangePage();
    const origin = await page.evaluate(() => location.origin);
    const gateway = await here.gateway("gateway-1", ["--allowed-origins", origin]);
    await connect(page, gateway.origin);
    await untilState(page, "connected");
    await listen(page, "demo:strange");
    await page.evaluate(() => window.peal.publish("demo:strange", "from afar"));
    await untilHeard(page, ["from afar"]);
  });
});
