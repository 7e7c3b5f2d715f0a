// A page that goes away and comes back, in a real browser, while messages go on: a reload, a sleep, a
// network that is gone. Over every transport, nothing is missed and nothing comes twice.
import { readFileSync, readdirSync } from "node:fs";
import type { CDPSession, Page } from "playwright-core";
import { afterEach, describe, expect, it } from "vitest";
import type { ConnectionState, Peal, Position, Subscription } from "../../gateway/web/client/src/index.ts";
import { until, type Gateway } from "./support/gateway.ts";
import { stage } from "./support/stage.ts";

declare global {
  interface Window {
    peal: Peal;
    room: Subscription;
    heard: unknown[];
    resets: Position[];
    states: ConnectionState[];
  }
}

const here = stage();
/** A session that doesn't answer is noticed within two seconds. */
const kLively = ["--limits-ping-interval", "1s", "--limits-pong-timeout", "500ms", "--limits-position-interval", "1s"];
const kTransports = ["websocket", "sse", "poll"] as const;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** So that a browser whose pages sleep soon has enough, and reads on no more. */
const kPadding = "x".repeat(4000);

/** Publishes 1, 2, 3 … one after the other, as fast as they are taken, until it is stopped. */
class Publisher {
  count = 0;
  #stopped = false;
  #failure?: unknown;
  readonly #done: Promise<void>;

  constructor(gateway: Gateway, pause = 5) {
    this.#done = this.#run(gateway, pause).catch((error) => void (this.#failure = error));
    cleanups.push(() => this.stop());
  }

  async #run(gateway: Gateway, pause: number): Promise<void> {
    while (!this.#stopped) {
      const response = await fetch(`${gateway.origin}/channels/log%3Aroom`, {
        method: "POST", body: JSON.stringify({ number: this.count + 1, kPadding }), headers: { "Content-Type": "application/json" },
      });
      if (!response.ok) throw new Error(`publish: ${response.status} ${await response.text()}`);
      ++this.count;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  async more(count: number): Promise<void> {
    const goal = this.count + count;
    await until(() => this.count >= goal || this.#failure !== undefined, `${count} more are published`);
  }

  async stop(): Promise<number> {
    this.#stopped = true;
    await this.#done;
    if (this.#failure) throw this.#failure;
    return this.count;
  }
}

async function open(gateway: Gateway, transport: string): Promise<Page> {
  const page = await (await here.context()).newPage();
  await page.goto(`${gateway.origin}/log.html?transports=${transport}`);
  await untilSubscribed(page);
  expect(await page.evaluate(() => window.peal.state)).toMatchObject({ name: "connected", transport });
  return page;
}

async function untilSubscribed(page: Page): Promise<void> {
  await page.waitForFunction(() => window.room?.state.name === "subscribed", undefined, { polling: 20 });
}

/** The page has heard 1 to `count`, in order, once each. */
async function expectExact(page: Page, count: number): Promise<void> {
  await page.waitForFunction((count) => window.heard.length >= count, count, { polling: 20 });
  const { heard, resets } = await page.evaluate(() => ({ heard: window.heard, resets: window.resets }));
  expect(resets).toEqual([]);
  expect(heard).toEqual(Array.from({ length: count }, (_, i) => i + 1));
}

/** Every process of the browser that runs pages or holds their sockets. */
async function sleepers(): Promise<number[]> {
  const session: CDPSession = await here.browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  return processInfo.filter(({ type }) => type === "renderer" || type === "utility").map(({ id }) => id);
}

function signal(processes: number[], name: "SIGSTOP" | "SIGCONT"): void {
  for (const id of processes) process.kill(id, name);
}

function stopped(id: number): boolean {
  return readdirSync(`/proc/${id}/task`).every((task) => {
    const stat = readFileSync(`/proc/${id}/task/${task}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).startsWith("T");
  });
}

describe.each(kTransports)("over %s a page", (transport) => {
  it("that is reloaded again and again misses nothing and hears nothing twice", async () => {
    const gateway = await here.gateway("gateway-1", kLively);
    const page = await open(gateway, transport);
    const publisher = new Publisher(gateway, 2);
    for (let i = 0; i < 6; ++i) {
      await publisher.more(40);
      await page.reload();
    }
    await untilSubscribed(page);
    await publisher.more(40);
    await expectExact(page, await publisher.stop());
  });

  it("that sleeps, its timers and its sockets with it, is up to date when it wakes", async () => {
    const gateway = await here.gateway("gateway-1", kLively);
    const page = await open(gateway, transport);
    const publisher = new Publisher(gateway);
    await publisher.more(20);
    const processes = await sleepers();
    cleanups.push(() => signal(processes, "SIGCONT"));
    signal(processes, "SIGSTOP");
    await until(() => processes.every(stopped), "the page sleeps");
    if (transport === "websocket") {
      await until(async () => (await gateway.metric("peal_sessions")) === 0, "the gateway gave the session up");
    }
    await publisher.more(200);
    signal(processes, "SIGCONT");
    await publisher.more(20);
    await expectExact(page, await publisher.stop());
  });

  it("that is frozen by the browser, and then resumed, is up to date", async () => {
    const gateway = await here.gateway("gateway-1", kLively);
    const page = await open(gateway, transport);
    const publisher = new Publisher(gateway);
    await publisher.more(20);
    const session = await page.context().newCDPSession(page);
    await session.send("Page.setWebLifecycleState", { state: "frozen" });
    await publisher.more(300);
    await session.send("Page.setWebLifecycleState", { state: "active" });
    await publisher.more(20);
    await expectExact(page, await publisher.stop());
  });

  it("whose network goes and comes back is up to date", async () => {
    const gateway = await here.gateway("gateway-1", kLively);
    const page = await open(gateway, transport);
    const publisher = new Publisher(gateway);
    for (let i = 0; i < 2; ++i) {
      await publisher.more(20);
      const before = await page.evaluate(() => window.states.length);
      await page.context().setOffline(true);
      await page.waitForFunction((before) => window.states.slice(before).some(({ name }) => name === "waiting"), before);
      await publisher.more(100);
      await page.context().setOffline(false);
      await untilSubscribed(page);
    }
    await publisher.more(20);
    await expectExact(page, await publisher.stop());
  });
});
