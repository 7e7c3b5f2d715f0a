// The demo page as a person uses it, in a real browser against a real gateway.
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { BrowserContextOptions, Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { complaintsOf } from "./support/browser.ts";
import type { Gateway } from "./support/gateway.ts";
import { stage } from "./support/stage.ts";

const here = stage();
const kPictures = resolve(import.meta.dirname, "../../build/web-pictures");

async function open(gateway: Gateway, options: BrowserContextOptions = {}): Promise<Page> {
  const page = await (await here.context(options)).newPage();
  await page.goto(gateway.origin);
  await untilConnected(page);
  return page;
}

async function untilConnected(page: Page): Promise<void> {
  for (const ready of ['#link[data-state="connected"]', '#log[aria-busy="false"]', '#chart[aria-busy="false"]']) {
    await page.waitForSelector(ready, { state: "attached" });
  }
}

async function say(page: Page, text: string): Promise<void> {
  await page.fill("#say", text);
  await page.press("#say", "Enter");
}

async function sees(page: Page, selector: string, text: string): Promise<void> {
  await page.locator(selector, { hasText: text }).first().waitFor();
}

/** Publishes from outside any page, as `curl -d` does. */
async function publish(gateway: Gateway, channel: string, body: unknown): Promise<void> {
  const response = await fetch(`${gateway.origin}/channels/${encodeURIComponent(channel)}`, {
    method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" },
  });
  expect(response.status).toBe(200);
}

describe("the demo page", () => {
  it("shows each tab the others, and what they say", async () => {
    const gateway = await here.gateway("gateway-1");
    const [one, other] = [await open(gateway), await open(gateway)];
    const complaints = [one, other].flatMap((page) => complaintsOf(page));
    for (const page of [one, other]) {
      await page.waitForFunction(() => document.querySelectorAll("#people li").length === 2);
      expect(await page.textContent("#people-count")).toBe("2");
      expect(await page.textContent("#link-gateway")).toBe("gateway-1");
      await page.waitForFunction(() => / ms$/.test(document.querySelector("#link-latency")!.textContent!));
    }
    await say(one, "hello from one");
    await sees(other, ".message:not(.mine) .text", "hello from one");
    await sees(one, ".message.mine .text", "hello from one");
    await say(other, "<b>hello</b> & welcome");
    await sees(one, ".message:not(.mine) .text", "<b>hello</b> & welcome");
    await other.fill("#name", "Renamed Rook");
    await other.press("#name", "Enter");
    await sees(one, "#people li", "Renamed Rook");
    await one.click("#ring");
    await sees(other, ".note.ring", "rang the bell");
    await other.close({ runBeforeUnload: false });
    await sees(one, ".note", "Renamed Rook has left");
    expect(complaints).toEqual([]);
  });

  it("is back by itself in both tabs after the gateway restarted, and says so", async () => {
    const gateway = await here.gateway("gateway-1");
    const tabs = [await open(gateway), await open(gateway)];
    for (const tab of tabs) await tab.waitForFunction(() => document.querySelectorAll("#people li").length === 2);
    await say(tabs[0]!, "before");
    await sees(tabs[1]!, ".message .text", "before");
    await gateway.stop();
    for (const tab of tabs) {
      await sees(tab, "#banner:not([hidden])", "Connection lost");
      await sees(tab, ".note.lost", "the gateway is restarting");
      expect(await tab.textContent("#link-state")).not.toBe("Connected");
    }
    await say(tabs[0]!, "typed while away");
    await gateway.start();
    for (const tab of tabs) {
      await sees(tab, "#banner:not([hidden])", "Back again");
      await sees(tab, ".note.back", "on gateway-1");
      await untilConnected(tab);
    }
    await sees(tabs[0]!, ".message.mine .text", "typed while away");
    await say(tabs[1]!, "after");
    await sees(tabs[0]!, ".message:not(.mine) .text", "after");
  });

  it("draws the load that is published, and nothing else that is", async () => {
    const gateway = await here.gateway();
    const page = await open(gateway);
    await page.waitForSelector("#chart-empty:visible");
    await publish(gateway, "demo:load", "procs -----------memory---------- ---swap-- -----io---- -system-- ------cpu-----");
    await publish(gateway, "demo:load", { nonsense: true });
    await publish(gateway, "demo:load", " 2  0      0 123456  78901 234567    0    0     5    12  340  560 23  4 72  1  0");
    await page.waitForFunction(() => document.querySelector("#load-now")!.textContent === "27 %");
    expect(await page.isVisible("#chart-empty")).toBe(false);
    await publish(gateway, "demo:load", { cpu: 61.4 });
    await page.waitForFunction(() => document.querySelector("#load-now")!.textContent === "61 %");
    expect(await page.getAttribute("#chart-line", "d")).toMatch(/^M[\d.]+ 73L[\d.]+ 38.6$/);
    expect(await page.getAttribute("#chart", "aria-label")).toContain("61 percent");
  });

  it("shows what a terminal publishes, whatever it is", async () => {
    const gateway = await here.gateway();
    const page = await open(gateway);
    await publish(gateway, "demo:room", "hello from curl");
    await sees(page, ".message .text", "hello from curl");
    await publish(gateway, "demo:room", { any: ["JSON", null] });
    await sees(page, ".message .text", '{"any":["JSON",null]}');
    await publish(gateway, "demo:room", { text: "x".repeat(5000) });
    await sees(page, ".message .text", "xxx …");
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    expect(overflow).toBe(false);
  });

  it("keeps the newest in sight, but leaves a reader further up in peace", async () => {
    const gateway = await here.gateway();
    const page = await open(gateway);
    for (let i = 0; i < 40; ++i) await publish(gateway, "demo:room", `line ${i}`);
    await sees(page, ".message .text", "line 39");
    const below = () => page.evaluate(() => {
      const log = document.getElementById("log")!;
      return Math.round(log.scrollHeight - log.scrollTop - log.clientHeight);
    });
    expect(await below()).toBeLessThan(5);
    await page.setViewportSize({ width: 900, height: 500 });
    await page.waitForFunction(() => {
      const log = document.getElementById("log")!;
      return log.scrollHeight - log.scrollTop - log.clientHeight < 5;
    });
    await page.focus("#log");
    await page.keyboard.press("Home");
    await page.waitForFunction(() => document.getElementById("log")!.scrollTop < 5);
    await publish(gateway, "demo:room", "one more");
    await page.click("#newer:visible");
    await page.waitForSelector("#newer", { state: "hidden" });
    expect(await below()).toBeLessThan(5);
  });

  it("can be used with the keyboard alone, and shows where one is", async () => {
    const gateway = await here.gateway();
    const page = await open(gateway);
    const visited: string[] = [];
    for (let i = 0; i < 20 && !visited.includes("ring"); ++i) {
      await page.keyboard.press("Tab");
      const { id, outline } = await page.evaluate(() => {
        const { id, className, tagName } = document.activeElement!;
        return { id: id || className || tagName, outline: getComputedStyle(document.activeElement!).outlineWidth };
      });
      expect(outline, `${id} shows its focus`).toBe("3px");
      visited.push(id);
    }
    expect(visited[0]).toBe("skip");
    for (const id of ["sound", "theme", "name", "log", "say", "ring"]) expect(visited).toContain(id);
    await page.keyboard.press("Enter");
    await sees(page, ".note.ring", "You rang the bell");
    await page.focus("#theme");
    const before = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.keyboard.press("Space");
    expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).not.toBe(before);
    await page.reload();
    expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).not.toBe(before);
  });

  it("fits wide and narrow, light and dark", async () => {
    const gateway = await here.gateway("gateway-1");
    mkdirSync(kPictures, { recursive: true });
    const guest = await open(gateway);
    for (const [name, width, height] of [["wide", 1280, 800], ["phone", 390, 844], ["small", 320, 568], ["lying", 844, 390]] as const) {
      for (const colorScheme of ["light", "dark"] as const) {
        const page = await open(gateway, { viewport: { width, height }, colorScheme });
        await say(guest, `Who is on the ${name} one, in the ${colorScheme}?`);
        await sees(page, ".message .text", `Who is on the ${name} one`);
        await say(page, "It is me.");
        for (let i = 0; i < 5; ++i) await publish(gateway, "demo:load", { user: 20 + 7 * i, system: 5 + i });
        await page.waitForFunction(() => document.querySelector("#load-now")!.textContent === "57 %");
        await page.screenshot({ path: join(kPictures, `${name}-${colorScheme}.png`) });
        const fits = await page.evaluate(() => {
          const within = (id: string) => {
            const { left, right, bottom } = document.getElementById(id)!.getBoundingClientRect();
            return left >= 0 && right <= innerWidth && bottom <= innerHeight;
          };
          return {
            page: document.documentElement.scrollWidth <= innerWidth,
            composer: within("say") && within("ring"), state: within("link-state"), room: within("log"),
            roomHeight: document.getElementById("log")!.clientHeight,
          };
        });
        expect(fits).toMatchObject({ page: true, composer: true, state: true, room: true });
        expect(fits.roomHeight, `${name}: room for what is said`).toBeGreaterThan(90);
        await page.close();
      }
    }
  });

  it("works over TLS", async () => {
    const [key, certificate] = [join(here.bundle, ".key.pem"), join(here.bundle, ".certificate.pem")];
    execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                             "-days", "1", "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", certificate],
                 { stdio: "ignore" });
    const gateway = await here.gateway("gateway-1", ["--tls-certificate", certificate, "--tls-key", key]);
    expect(gateway.origin).toMatch(/^https:/);
    const page = await open(gateway, { ignoreHTTPSErrors: true });
    await say(page, "in private");
    await sees(page, ".message.mine .text", "in private");
  });

  it("works where the browser does not trust the address, as on a phone in the same network", async () => {
    const gateway = await here.gateway("gateway-1", ["--allowed-hosts", "phone.test"]);
    const page = await (await here.context()).newPage();
    const complaints = complaintsOf(page);
    await page.goto(gateway.origin.replace("127.0.0.1", "phone.test"));
    await untilConnected(page);
    expect(await page.evaluate(() => isSecureContext)).toBe(false);
    await say(page, "from the phone");
    await sees(page, ".message.mine .text", "from the phone");
    expect(complaints).toEqual([]);
  });
});
