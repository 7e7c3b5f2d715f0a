// The page over a broker and three gateways: a tab on each, and all of them in one room.
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { stage } from "./support/stage.ts";

const here = stage();

async function sees(page: Page, selector: string, text: string): Promise<void> {
  await page.locator(selector, { hasText: text }).first().waitFor();
}

async function say(page: Page, text: string): Promise<void> {
  await page.fill("#say", text);
  await page.press("#say", "Enter");
}

describe("three gateways with a broker", () => {
  it("are one room, that a restart of the broker does not empty", async () => {
    const broker = await here.broker();
    const names = ["gateway-1", "gateway-2", "gateway-3"];
    const gateways = await Promise.all(names.map((name) => here.gateway(name, broker.gatewayFlags)));
    const context = await here.context();
    const tabs = await Promise.all(gateways.map(async ({ origin }) => {
      const tab = await context.newPage();
      await tab.goto(origin);
      return tab;
    }));
    for (const [i, tab] of tabs.entries()) {
      await tab.waitForSelector('#log[aria-busy="false"]');
      await sees(tab, "#link-gateway", names[i]!);
      for (const name of names) await sees(tab, "#people .where", name);
      expect(await tab.textContent("#people-count")).toBe("3");
    }
    for (const [i, tab] of tabs.entries()) await say(tab, `hello from ${names[i]}`);
    for (const tab of tabs) for (const name of names) await sees(tab, ".message .text", `hello from ${name}`);

    await broker.stop("SIGKILL");
    await say(tabs[0]!, "into the void");
    await sees(tabs[0]!, ".note.lost", "into the void");
    for (const tab of tabs) expect(await tab.getAttribute("#link", "data-state")).toBe("connected");
    await broker.start();
    await expect.poll(async () => {
      await say(tabs[1]!, "is anybody there?");
      return tabs[2]!.locator(".message .text", { hasText: "is anybody there?" }).count();
    }, { timeout: 60_000, interval: 500 }).toBeGreaterThan(0);
    await say(tabs[2]!, "all three again");
    for (const tab of tabs) await sees(tab, ".message .text", "all three again");
    expect(await tabs[1]!.locator(".message .text", { hasText: "into the void" }).count()).toBe(0);
  });
});
