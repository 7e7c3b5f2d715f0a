// The orders page in a real browser: tools/run --with-postgres starts all that it needs, rows are
// written by psql and by the page's form, and the table and its filtered view change by themselves.
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { complaintsOf } from "./support/browser.ts";
import { DemoRun } from "./support/demo_run.ts";
import { stage } from "./support/stage.ts";

const here = stage();
const root = resolve(import.meta.dirname, "../..");
const kPictures = join(root, "build/web-pictures");
const run = new DemoRun();

beforeAll(async () => {
  execFileSync(join(root, "gateway/web/build"));
  await run.start("--with-postgres");
});
afterAll(() => run.remove());

/** What psql answers, asked as the printed line asks. */
const psql = (sql: string) =>
  execFileSync("psql", ["-X", "-q", "-A", "-t", run.found(/psql '([^']*)'/), "-c", sql], { encoding: "utf8" }).trim();

async function open(): Promise<Page> {
  const page = await (await here.context({ viewport: { width: 1280, height: 800 } })).newPage();
  await page.goto(run.found(/(http:\/\/\S+\/orders\.html)/));
  for (const table of ["all", "open"]) await page.waitForSelector(`#${table}[aria-busy="false"]`);
  return page;
}

/** Of each row in the page its texts and what its fields say. */
const rowsOf = (page: Page, table: string) => page.$$eval(`#${table} tbody tr`, (lines) => lines.map((line) =>
  [...(line as HTMLTableRowElement).cells].slice(0, 4)
    .map((cell) => cell.querySelector<HTMLInputElement>("select, input")?.value ?? cell.textContent).join("|")));

async function shows(page: Page, table: string, query: string): Promise<void> {
  const wanted = psql(`select id || '|' || item || '|' || status || '|' || total from (${query}) o order by id`).split("\n");
  await expect.poll(() => rowsOf(page, table), { timeout: 60_000 }).toEqual(wanted);
}
const inStep = (page: Page) => shows(page, "all", "select * from orders");
const inView = (page: Page) => shows(page, "open", "select * from orders where status = 'open' and total >= 20");

describe("the orders page", () => {
  it("shows the table as it is and as psql changes it, and who enters and leaves a filtered view", async () => {
    const page = await open();
    const complaints = complaintsOf(page);
    await inStep(page);
    await inView(page);
    const [line] = run.output.match(/^psql .*$/m)!;
    execFileSync("bash", ["-c", line]);
    await page.waitForSelector('#open tr:has-text("A bell").lit');
    await inStep(page);
    psql("update orders set status = 'sent' where item = 'A bell'; update orders set total = 20 where item = 'A felt mute'");
    psql("begin; update orders set total = 1; rollback; delete from orders where item = 'A clapper'");
    await inStep(page);
    await inView(page);
    mkdirSync(kPictures, { recursive: true });
    await page.screenshot({ path: join(kPictures, "orders.png") });
    psql("truncate orders; insert into orders (item, total) values ('one <b>and</b> only', 21)");
    await inStep(page);
    await inView(page);
    expect(complaints).toEqual([]);
  });

  it("writes rows by a form, which every page sees come back, and says what the database refuses", async () => {
    const [one, other] = [await open(), await open()];
    await one.fill("#item", "'); drop table orders; --");
    await one.fill("#total", "99.5");
    await one.press("#total", "Enter");
    await other.waitForSelector('#all tr:has-text("drop table")');
    const row = one.locator("#all tr", { hasText: "drop table" });
    await row.locator("select").selectOption("packed");
    await expect.poll(() => psql("select status from orders where item like '%drop table%'")).toBe("packed");
    await other.waitForSelector('#open tr:has-text("drop table")', { state: "detached" });
    await row.locator("input").fill("much");
    await row.locator("input").press("Enter");
    await one.waitForSelector("#refused:has-text('numeric')");
    expect(await row.locator("input").inputValue()).toBe("99.50");
    await row.locator("button").click();
    await other.waitForSelector('#all tr:has-text("drop table")', { state: "detached" });
    await inStep(one);
  });

  it("fits a phone, in the dark too", async () => {
    const page = await (await here.context({ viewport: { width: 390, height: 780 }, colorScheme: "dark" })).newPage();
    await page.goto(run.found(/(http:\/\/\S+\/orders\.html)/));
    await inStep(page);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    await page.screenshot({ path: join(kPictures, "orders_phone.png"), fullPage: true });
  });

  it("says how to start a Postgres where there is none", async () => {
    const gateway = await here.gateway();
    const page = await (await here.context()).newPage();
    await page.goto(`${gateway.origin}/orders.html`);
    await page.waitForSelector("#missing:has-text('--with-postgres')");
  });
});
