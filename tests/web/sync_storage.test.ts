// A replica's records in a real browser: atomic steps of several tabs, and what outlives a page.
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import type { Gateway } from "./support/gateway.ts";
import { stage } from "./support/stage.ts";

const here = stage();

async function tab(gateway: Gateway, first?: Page): Promise<Page> {
  const page = first ? await first.context().newPage() : await here.blankPage(gateway);
  if (first) await page.goto(`${gateway.origin}/blank.html`);
  // As text, because the test runner rewrites imports in functions.
  await page.evaluate(`import("${gateway.origin}/sync.js").then(({ IndexedDbStorage }) => {
    window.storage = new IndexedDbStorage("test");
    window.told = 0;
    window.storage.onOthers(() => ++window.told);
  })`);
  return page;
}

describe("records in IndexedDB", () => {
  it("are changed in steps that several tabs never tear, and each hears of the others'", async () => {
    const gateway = await here.gateway();
    const one = await tab(gateway);
    const two = await tab(gateway, one);
    const count = (page: Page) => page.evaluate(async () => {
      const step = (stored: any) => ({ ...(stored ?? { uri: "a", heard: 0 }), count: (stored?.count ?? 0) + 1 });
      await Promise.all(Array.from({ length: 200 }, () => (window as any).storage.update("a", step)));
    });
    await Promise.all([count(one), count(two)]);
    const stored = await one.evaluate(() => (window as any).storage.read("a"));
    expect(stored).toMatchObject({ count: 400, version: 400 });
    for (const page of [one, two]) await page.waitForFunction(() => (window as any).told === 200, undefined, { polling: 50 });
  });

  it("outlive the page, and a step that fails leaves them as they were", async () => {
    const gateway = await here.gateway();
    const page = await tab(gateway);
    await page.evaluate(() => (window as any).storage.update("a", () => ({ uri: "a", heard: 0, base: { value: "kept" } })));
    const failed = await page.evaluate(() => (window as any).storage.update("a", () => {
      throw new Error("no");
    }).catch((error: Error) => error.message));
    expect(failed).toBe("no");
    const again = await tab(gateway, page);
    await page.close();
    expect(await again.evaluate(() => (window as any).storage.read("a"))).toMatchObject({ base: { value: "kept" } });
    expect(await again.evaluate(() => (window as any).storage.uris())).toEqual(["a"]);
    await again.evaluate(() => (window as any).storage.update("a", () => undefined));
    expect(await again.evaluate(() => (window as any).storage.uris())).toEqual([]);
  });

  it("have one holder of the lease, until it is over or given back", async () => {
    const gateway = await here.gateway();
    const one = await tab(gateway);
    const two = await tab(gateway, one);
    const lease = (page: Page, owner: string, ms: number) =>
      page.evaluate(([owner, ms]) => (window as any).storage.lease(owner, ms), [owner, ms] as const);
    expect(await lease(one, "one", 60_000)).toBe(true);
    expect(await lease(two, "two", 60_000)).toBe(false);
    expect(await lease(one, "one", 60_000)).toBe(true);
    await one.evaluate(() => (window as any).storage.release("one"));
    expect(await lease(two, "two", 60_000)).toBe(true);
  });
});
