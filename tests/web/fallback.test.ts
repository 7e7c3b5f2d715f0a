// Where WebSockets are blocked: clients in Node and in a real browser, twenty channels each, behind a
// proxy that spreads their requests over two gateways and cuts their connections at random. A checker
// knows all that was published, and is told all that each client heard.
import type { Page } from "playwright-core";
import { afterEach, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { Peal, type Position, type PealOptions, type WebSocketClass } from "../../gateway/web/client/src/index.ts";
import { until } from "./support/gateway.ts";
import { Proxy } from "./support/proxy.ts";
import { stage } from "./support/stage.ts";

const here = stage();
const kChannels = Array.from({ length: 40 }, (_, i) => `log:${i}`);
const kChannelsEach = 20;
const kMessages = 4000;
const kNodeClients = 8;
const kPages = 2;
const kLively = ["--limits-position-interval", "1s", "--limits-ping-interval", "2s"];

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** What one client heard, per channel. */
type Heard = Record<string, number[]>;

/** Everything that must be zero. */
interface Verdict {
  lost: number;
  doubled: number;
  reordered: number;
  phantom: number;
}

function judge(published: Record<string, number>, heard: Heard): Verdict {
  const verdict: Verdict = { lost: 0, doubled: 0, reordered: 0, phantom: 0 };
  for (const [channel, numbers] of Object.entries(heard)) {
    const seen = new Set<number>();
    let last = 0;
    for (const number of numbers) {
      if (seen.has(number)) ++verdict.doubled;
      else if (number < last) ++verdict.reordered;
      if (!(number >= 1 && number <= published[channel]!)) ++verdict.phantom;
      seen.add(number);
      last = number;
    }
    for (let number = 1; number <= published[channel]!; ++number) if (!seen.has(number)) ++verdict.lost;
  }
  return verdict;
}

const kAllZero: Verdict = { lost: 0, doubled: 0, reordered: 0, phantom: 0 };

function someChannels(seed: number): string[] {
  return Array.from({ length: kChannelsEach }, (_, i) => kChannels[(seed * 7 + i * 2 + (i % 3)) % kChannels.length]!)
    .concat(kChannels).filter((channel, i, all) => all.indexOf(channel) === i).slice(0, kChannelsEach);
}

/** A client in this process. */
class NodeClient {
  readonly heard: Heard = {};
  readonly resets: Position[] = [];
  readonly peal: Peal;
  readonly ready: Promise<unknown>;
  again = 0;

  constructor(origin: string, channels: string[], options: PealOptions = {}) {
    const passed = WebSocket as unknown as WebSocketClass;
    this.peal = new Peal(`${origin}/ws`, { WebSocket: passed, retryBase: 20, retryMax: 200, ...options });
    cleanups.push(() => this.peal.close());
    this.ready = Promise.all(channels.map((channel) => {
      const numbers: number[] = (this.heard[channel] = []);
      const subscription = this.peal.subscribe<number>(channel);
      subscription.on("message", ({ message }) => numbers.push(message));
      subscription.on("reset", (position) => this.resets.push(position));
      return subscription.ready;
    }));
    this.ready.catch(() => {});  // told where it is awaited
    this.peal.on("state", (state) => {
      if (state.name === "connected" && state.again) ++this.again;
    });
  }
}

/** The same in a page. */
async function pageClient(origin: string, channels: string[]): Promise<Page> {
  const page = await (await here.context()).newPage();
  await page.goto(`${origin}/blank.html`);
  await page.evaluate(`import("/client.js").then((client) => void (window.client = client))`);
  await page.evaluate(async (channels) => {
    const own = window as any;
    own.peal = new own.client.Peal("/ws", { retryBase: 20, retryMax: 200 });
    own.heard = {};
    own.resets = [];
    await Promise.all(channels.map((channel) => {
      const numbers: number[] = (own.heard[channel] = []);
      const subscription = own.peal.subscribe(channel);
      subscription.on("message", ({ message }: { message: number }) => numbers.push(message));
      subscription.on("reset", (position: Position) => own.resets.push(position));
      return subscription.ready;
    }));
  }, channels);
  return page;
}

function total(heard: Heard): number {
  return Object.values(heard).reduce((sum, numbers) => sum + numbers.length, 0);
}

const kCases = [
  { blocks: ["websocket" as const], transport: "sse" },
  { blocks: ["websocket" as const, "sse" as const], transport: "poll" },
];

describe.each(kCases)("behind a proxy that blocks $blocks", ({ blocks, transport }) => {
  it("every client hears every message once, from any gateway, whatever is cut", { timeout: 600_000 }, async () => {
    const broker = await here.broker();
    const gateways = await Promise.all(
      ["gateway-1", "gateway-2"].map((name) => here.gateway(name, [...broker.gatewayFlags, ...kLively])));
    const proxy = await Proxy.start(gateways, { blocks });
    cleanups.push(() => proxy.remove());

    const clients = Array.from({ length: kNodeClients }, (_, i) => new NodeClient(proxy.origin, someChannels(i)));
    const wishes = Array.from({ length: kPages }, (_, i) => someChannels(kNodeClients + i));
    const pages = await Promise.all(wishes.map((channels) => pageClient(proxy.origin, channels)));
    await Promise.all(clients.map(({ ready }) => ready));
    for (const { peal } of clients) expect(peal.state).toMatchObject({ name: "connected", transport });

    // Publishers see no proxy; each channel has one, so that its numbers are in order.
    const publishers = gateways.map(({ origin }) => new NodeClient(origin, []));
    const published: Record<string, number> = {};
    const sent = Promise.all(publishers.map(async ({ peal }, which) => {
      const own = kChannels.filter((_, i) => i % publishers.length === which);
      for (let i = 0; i < kMessages / publishers.length; i += own.length) {
        await Promise.all(own.map((channel) => {
          published[channel] = (published[channel] ?? 0) + 1;
          return peal.publish(channel, published[channel]);
        }));
      }
    }));
    let publishing = true;
    void sent.finally(() => (publishing = false));
    let cuts = 0;
    for (; publishing; ++cuts) {
      await proxy.cut(cuts % gateways.length);
      await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 200));
    }
    await sent;

    const due = (channels: string[]) => channels.reduce((sum, channel) => sum + published[channel]!, 0);
    for (const { heard } of clients) {
      await until(() => total(heard) >= due(Object.keys(heard)), "every client has heard everything");
    }
    for (const [i, page] of pages.entries()) {
      const all = due(wishes[i]!);
      await page.waitForFunction((all) => Object.values((window as any).heard as Heard)
        .reduce((sum, numbers) => sum + numbers.length, 0) >= all, all, { timeout: 60_000, polling: 50 });
    }
    const inPages = await Promise.all(pages.map((page) => page.evaluate(() => {
      const { heard, resets, peal } = window as any;
      return { heard: heard as Heard, resets, transport: peal.state.transport };
    })));
    for (const one of [...clients, ...inPages]) {
      expect(judge(published, one.heard)).toEqual(kAllZero);
      expect(one.resets).toEqual([]);
    }
    for (const one of inPages) expect(one.transport).toBe(transport);
    expect(Object.values(published).reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(kMessages);
    expect(cuts).toBeGreaterThan(2);
    expect(clients.reduce((sum, { again }) => sum + again, 0), "connections were cut").toBeGreaterThan(0);
    for (const share of await proxy.shares()) expect(share).toBeGreaterThan(10);
  });
});

describe("the demo page behind such a proxy", () => {
  it("shows two tabs each other, and says which way it goes", async () => {
    const gateway = await here.gateway();
    const proxy = await Proxy.start([gateway], { blocks: ["websocket"] });
    cleanups.push(() => proxy.remove());
    const context = await here.context();
    const tabs = await Promise.all([1, 2].map(async () => {
      const tab = await context.newPage();
      await tab.goto(proxy.origin);
      await tab.waitForSelector('#log[aria-busy="false"]');
      return tab;
    }));
    for (const [i, tab] of tabs.entries()) {
      await tab.fill("#say", `hello from ${i}`);
      await tab.press("#say", "Enter");
    }
    for (const tab of tabs) {
      for (const i of [0, 1]) await tab.locator(".message .text", { hasText: `hello from ${i}` }).waitFor();
      await tab.locator("#people .where", { hasText: "any gateway (stream)" }).nth(1).waitFor();
      expect(await tab.textContent("#link-gateway")).toBe("any gateway (stream)");
    }
    if (process.env["PEAL_SHOT"]) await tabs[0]!.screenshot({ path: process.env["PEAL_SHOT"] });
  });
});

describe("the checker", () => {
  it("finds each kind of failure when it is there", () => {
    const published = { a: 5 };
    expect(judge(published, { a: [1, 2, 3, 4, 5] })).toEqual(kAllZero);
    expect(judge(published, { a: [1, 2, 4, 5] })).toEqual({ ...kAllZero, lost: 1 });
    expect(judge(published, { a: [1, 2, 2, 3, 4, 5] })).toEqual({ ...kAllZero, doubled: 1 });
    expect(judge(published, { a: [1, 3, 2, 4, 5] })).toEqual({ ...kAllZero, reordered: 1 });
    expect(judge(published, { a: [1, 2, 3, 4, 5, 6] })).toEqual({ ...kAllZero, phantom: 1 });
  });
});
