// What every test here needs: the bundle, a browser, gateways, and an end for all of them.
import { execFileSync } from "node:child_process";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll } from "vitest";
import { launch } from "./browser.ts";
import { Broker, Gateway } from "./gateway.ts";
import { addLogPage } from "./log_page.ts";

const root = resolve(import.meta.dirname, "../../..");

export interface Stage {
  readonly bundle: string;
  gateway(name?: string, flags?: string[]): Promise<Gateway>;
  broker(): Promise<Broker>;
  readonly browser: Browser;
  context(options?: BrowserContextOptions): Promise<BrowserContext>;
  /** An empty page on the gateway's own origin, or on another one. */
  blankPage(gateway: Gateway): Promise<Page>;
  strangePage(): Promise<Page>;
}

/** Sets up before and tears down after the tests of a file; gateways and pages after each test. */
export function stage(): Stage {
  const bundle = mkdtempSync(join(tmpdir(), "peal-page-"));
  let browser: Browser;
  const contexts: BrowserContext[] = [];
  const processes: (Gateway | Broker)[] = [];
  const servers: Server[] = [];

  beforeAll(async () => {
    execFileSync(join(root, "gateway/web/build"), [bundle]);
    writeFileSync(join(bundle, "blank.html"), "<!doctype html><title>blank</title>");
    addLogPage(bundle);
    browser = await launch();
  });
  afterEach(async () => {
    for (const context of contexts.splice(0)) await context.close();
    for (const process of processes.splice(0).reverse()) await process.remove();
    for (const server of servers.splice(0)) server.close();
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(bundle, { recursive: true, force: true });
  });

  const stage: Stage = {
    bundle,
    get browser() {
      return browser;
    },
    async gateway(name = "gateway-1", flags = []) {
      const gateway = new Gateway(name, bundle, flags);
      processes.push(gateway);
      return gateway.start();
    },
    async broker() {
      const broker = new Broker();
      processes.push(broker);
      return broker.start();
    },
    async context(options = {}) {
      const context = await browser.newContext(options);
      context.setDefaultTimeout(60_000); // however busy the machine is
      contexts.push(context);
      return context;
    },
    async blankPage(gateway) {
      const page = await (await stage.context()).newPage();
      await page.goto(`${gateway.origin}/blank.html`);
      return page;
    },
    async strangePage() {
      const server = createServer((_, response) => {
        response.writeHead(200, { "Content-Type": "text/html" }).end("<title>strange</title>");
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      servers.push(server);
      const page = await (await stage.context()).newPage();
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      return page;
    },
  };
  return stage;
}
