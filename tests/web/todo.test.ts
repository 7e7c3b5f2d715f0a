// The to-do page in real browsers against a real gateway: one list, edited on two sides, one of them
// offline; conflicts that a person settles; and what becomes of it all when something crashes.
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { remoteSuite } from "../../gateway/web/client/test/sync/support/remote_suite.ts";
import { complaintsOf } from "./support/browser.ts";
import type { Gateway } from "./support/gateway.ts";
import { stage } from "./support/stage.ts";

const here = stage();
const kPictures = resolve(import.meta.dirname, "../../build/web-pictures");
async function open(
  gateway: Gateway, context?: BrowserContext, { host = "127.0.0.1", query = "" } = {},
): Promise<Page> {
  const page = await (context ?? (await here.context())).newPage();
  await page.goto(`${gateway.origin.replace("127.0.0.1", host)}/todo.html${query}`);
  await page.waitForSelector('#items[aria-busy="false"]', { state: "attached" });
  return page;
}

async function add(page: Page, text: string): Promise<void> {
  await page.fill("#new", text);
  await page.press("#new", "Enter");
}

const texts = (page: Page) =>
  page.$$eval(".item:not([hidden]) .text", (fields) => fields.map((field) => (field as HTMLInputElement).value));

async function shows(page: Page, expected: string[]): Promise<void> {
  try {
    await page.waitForFunction((wanted) => {
      const fields = [...document.querySelectorAll<HTMLInputElement>(".item:not([hidden]) .text")];
      return JSON.stringify(fields.map(({ value }) => value)) === JSON.stringify(wanted);
    }, expected, { timeout: 60_000, polling: 50 });
  } catch {
    expect(await texts(page)).toEqual(expected);
  }
}

async function rewrite(page: Page, nth: number, text: string): Promise<void> {
  const field = page.locator(".item:not([hidden]) .text").nth(nth);
  await field.fill(text);
  await field.press("Enter");
}

const inStep = (page: Page) => page.waitForSelector('#link[data-state="connected"]');

/** Two browsers with "milk" on their list; then both change it, the second one while offline. */
async function inConflict(gateway: Gateway) {
  const [one, two] = [await open(gateway), await open(gateway)];
  await add(one, "milk");
  await shows(two, ["milk"]);
  await two.check("#offline");
  await rewrite(two, 0, "oat milk");
  await rewrite(one, 0, "two bottles of milk");
  await inStep(one);
  await two.uncheck("#offline");
  await two.waitForSelector(".conflict:not([hidden])");
  return [one, two] as const;
}

remoteSuite("a real gateway", async () => ({ url: (await here.gateway()).origin }));

describe("the to-do page", () => {
  it("shows each browser what the others write, tick and delete", async () => {
    const gateway = await here.gateway();
    const [one, two] = [await open(gateway), await open(gateway)];
    const complaints = [one, two].flatMap((page) => complaintsOf(page));
    await add(one, "bread");
    await add(two, "<b>butter</b>");
    await shows(one, ["<b>butter</b>", "bread"]);
    await shows(two, ["<b>butter</b>", "bread"]);
    await two.locator(".tick").nth(1).check();
    await one.waitForSelector(".item.done");
    expect(await one.textContent("#count")).toBe("1 of 2 to do");
    await one.locator(".remove").nth(0).click();
    await shows(two, ["bread"]);
    await two.locator(".remove").nth(0).click();
    await shows(one, []);
    await one.waitForSelector("#empty:not([hidden])");
    expect(complaints).toEqual([]);
  });

  it("is what its address says: which list, and whose copy", async () => {
    const gateway = await here.gateway();
    const context = await here.context();
    const kitchen = await open(gateway, context, { query: "?list=kitchen" });
    const garden = await open(gateway, context, { query: "?list=garden" });
    const other = await open(gateway, context, { query: "?list=kitchen&as=other" });
    await add(kitchen, "pans");
    await add(garden, "peas");
    await shows(other, ["pans"]);
    await shows(garden, ["peas"]);
    await other.check("#offline");
    await rewrite(other, 0, "lids");
    await rewrite(kitchen, 0, "pots");
    await inStep(kitchen);
    await other.uncheck("#offline");
    await other.waitForSelector(".conflict:not([hidden])");
    await kitchen.reload();
    await shows(kitchen, ["pots"]);
  });

  it("edited while offline keeps the edits over a reload without a network, and sends them when it is back", async () => {
    const gateway = await here.gateway();
    const [one, two] = [await open(gateway), await open(gateway)];
    await add(one, "before");
    await shows(two, ["before"]);
    await two.evaluate(() => navigator.serviceWorker.ready.then(() => {}));
    await two.context().setOffline(true);
    await add(two, "while away");
    await two.locator(".tick").nth(1).check();
    await shows(two, ["while away", "before"]);
    await two.reload();
    await shows(two, ["while away", "before"]);
    expect(await two.locator(".item .mark").nth(0).textContent()).toBe("not sent yet");
    await add(one, "meanwhile");
    await shows(one, ["meanwhile", "before"]);
    await inStep(one);
    await two.context().setOffline(false);
    await shows(one, ["while away", "meanwhile", "before"]);
    await shows(two, ["while away", "meanwhile", "before"]);
    await one.waitForSelector(".item.done");
    await inStep(two);
  });

  it("lets a person choose where both sides changed the words", async () => {
    const gateway = await here.gateway();
    for (const [button, expected] of [
      ["Keep mine", ["oat milk"]], ["Take theirs", ["two bottles of milk"]],
      ["Keep both", ["oat milk", "two bottles of milk"]],
    ] as const) {
      const [one, two] = await inConflict(gateway);
      expect(await two.locator(".version").allTextContents()).toEqual(["oat milk", "two bottles of milk"]);
      expect(await two.textContent("#link-state")).toBe("1 to decide");
      await shows(one, ["two bottles of milk"]);
      await two.getByRole("button", { name: button }).click();
      for (const page of [one, two]) {
        await shows(page, [...expected]);
        await inStep(page);
      }
      for (let left = expected.length; left > 0; --left) {
        await one.locator(".item:not([hidden]) .remove").nth(0).click();
        await shows(two, expected.slice(expected.length - left + 1));
      }
      await one.close();
      await two.close();
    }
  });

  it("merges by itself what does not touch: new words there, a tick here", async () => {
    const gateway = await here.gateway();
    const [one, two] = [await open(gateway), await open(gateway)];
    await add(one, "milk");
    await shows(two, ["milk"]);
    await two.check("#offline");
    await two.locator(".tick").nth(0).check();
    await rewrite(one, 0, "oat milk");
    await inStep(one);
    await two.uncheck("#offline");
    for (const page of [one, two]) {
      await page.waitForSelector(".item.done");
      await shows(page, ["oat milk"]);
    }
  });

  it("deleted on one side and changed on the other is a choice too, in both directions", async () => {
    const gateway = await here.gateway();
    const [one, two] = [await open(gateway), await open(gateway)];
    await add(one, "second");
    await shows(two, ["second"]);
    await add(one, "first");
    await shows(two, ["first", "second"]);
    await two.check("#offline");
    await two.locator(".remove").nth(0).click();
    await shows(two, ["second"]);
    await rewrite(two, 0, "second, changed");
    await rewrite(one, 0, "first, changed");
    await one.locator(".remove").nth(1).click();
    await shows(one, ["first, changed"]);
    await inStep(one);
    await two.uncheck("#offline");
    await two.waitForFunction(() => document.querySelectorAll(".conflict:not([hidden])").length === 2, undefined, { polling: 50 });
    expect((await two.locator(".version").allTextContents()).sort())
      .toEqual(["deleted", "deleted", "first, changed", "second, changed"]);
    // What I deleted comes back as they have it; what they deleted stays as I have it.
    await two.locator(".conflict:not([hidden])", { hasText: "first, changed" }).getByText("Take theirs").click();
    await two.locator(".conflict:not([hidden])", { hasText: "second, changed" }).getByText("Keep mine").click();
    for (const page of [one, two]) {
      await page.waitForFunction(() => document.querySelectorAll(".item:not([hidden])").length === 2, undefined, { polling: 50 });
      expect((await texts(page)).sort()).toEqual(["first, changed", "second, changed"]);
    }
    // Deleted on both sides there is nothing to choose.
    await two.check("#offline");
    for (const page of [one, two]) {
      const last = (await texts(page))[1]!;
      await page.locator(".remove").nth(0).click();
      await shows(page, [last]);
      await page.locator(".remove").nth(0).click();
      await shows(page, []);
    }
    await inStep(one);
    await two.uncheck("#offline");
    await inStep(two);
    for (const page of [one, two]) await shows(page, []);
  });

  it("is given back by the browsers to a gateway that lost it", async () => {
    const gateway = await here.gateway();
    const one = await open(gateway);
    await add(one, "precious");
    await inStep(one);
    await gateway.stop("SIGKILL");
    await one.waitForSelector('#link[data-state="waiting"]');
    await gateway.start();
    await inStep(one);
    await shows(one, ["precious"]);
    await shows(await open(gateway), ["precious"]);
  });
});

describe("several gateways of one broker", () => {
  it("show one list, and settle what was changed on both", async () => {
    const { gatewayFlags } = await here.broker();
    const gateways = [await here.gateway("gateway-1", gatewayFlags), await here.gateway("gateway-2", gatewayFlags)];
    const [one, two] = [await open(gateways[0]!), await open(gateways[1]!)];
    await add(one, "milk");
    await shows(two, ["milk"]);
    await two.check("#offline");
    await rewrite(two, 0, "oat milk");
    await rewrite(one, 0, "two bottles of milk");
    await inStep(one);
    await two.uncheck("#offline");
    await two.getByRole("button", { name: "Keep mine" }).click();
    await shows(one, ["oat milk"]);
  });
});

describe("tabs of one browser", () => {
  it("share one copy, of which one talks to the gateway; when that one is closed the next one does", async () => {
    const gateway = await here.gateway();
    const context = await here.context();
    const [first, second] = [await open(gateway, context), await open(gateway, context)];
    const elsewhere = await open(gateway);
    const held = () => second.evaluate(async () => (await navigator.locks.query()).held!.length);
    expect(await held()).toBe(1);
    await add(second, "from the second");
    for (const page of [first, second, elsewhere]) await shows(page, ["from the second"]);
    await first.close();
    await add(second, "after the first was closed");
    await shows(elsewhere, ["after the first was closed", "from the second"]);
    await add(elsewhere, "hello");
    await shows(second, ["hello", "after the first was closed", "from the second"]);
    expect(await held()).toBe(1);
  });

  it("get along where the browser gives no locks, as on a phone over plain HTTP", async () => {
    const gateway = await here.gateway("gateway-1", ["--allowed-hosts", "phone.test"]);
    const context = await here.context();
    const phone = { host: "phone.test" };
    const tabs = [await open(gateway, context, phone), await open(gateway, context, phone)];
    const elsewhere = await open(gateway, undefined, phone);
    expect(await tabs[0]!.evaluate(() => isSecureContext)).toBe(false);
    await add(tabs[1]!, "from the phone");
    for (const page of [...tabs, elsewhere]) await shows(page, ["from the phone"]);
    await tabs[0]!.close({ runBeforeUnload: false });
    await add(tabs[1]!, "and again");
    await shows(elsewhere, ["and again", "from the phone"]);
  });
});

describe("how it looks", () => {
  it("fits wide and narrow, light and dark, and can be used with the keyboard alone", async () => {
    const gateway = await here.gateway();
    mkdirSync(kPictures, { recursive: true });
    const [one, two] = await inConflict(gateway);
    await add(one, "bread");
    await one.waitForSelector(".item:nth-child(2)");
    await one.locator(".tick").nth(0).check();
    await add(one, "a very long item that does not fit into one line of a small telephone's screen");
    await two.waitForSelector(".item.done");
    await add(two, "the last one");
    for (const [name, width, height] of [["wide", 1280, 800], ["phone", 390, 844], ["small", 320, 568]] as const) {
      for (const colorScheme of ["light", "dark"] as const) {
        await two.setViewportSize({ width, height });
        await two.emulateMedia({ colorScheme });
        await two.screenshot({ path: join(kPictures, `todo-${name}-${colorScheme}.png`), fullPage: true });
        expect(await two.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} fits`).toBe(true);
      }
    }
    const visited = new Set<string>();
    await two.focus("#new");
    while (!visited.has("other") && visited.size < 40) {
      await two.keyboard.press("Tab");
      const [what, outline] = await two.evaluate(() => {
        const { id, className, textContent } = document.activeElement!;
        return [id || className || textContent!, getComputedStyle(document.activeElement!).outlineWidth] as const;
      });
      expect(outline, `${what} shows its focus`).toBe("3px");
      visited.add(what);
    }
    for (const what of ["tick", "text", "remove", "Keep mine", "Take theirs", "both", "other"]) {
      expect(visited).toContain(what);
    }
  });
});
