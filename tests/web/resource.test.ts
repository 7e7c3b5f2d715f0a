// A channel's own page: what a browser that is simply pointed at a value gets to see.
import { expect, it } from "vitest";
import { complaintsOf } from "./support/browser.ts";
import { until } from "./support/gateway.ts";
import { stage } from "./support/stage.ts";

const here = stage();

it("shows a value and follows it", async () => {
  const gateway = await here.gateway();
  const url = `${gateway.origin}/channels/log:page`;
  const headers = { "Content-Type": "application/json" };
  const put = (value: unknown) => fetch(url, { method: "PUT", headers, body: JSON.stringify(value) });
  await put({ html: "<b>bold</b>" });

  const page = await (await here.context()).newPage();
  const complaints = complaintsOf(page);
  await page.goto(url);
  const shown = () => page.locator("#value").innerText();
  expect(await page.locator("h1").innerText()).toBe("log:page");
  expect(await shown()).toContain("<b>bold</b>");
  await until(async () => (await page.locator("#state").innerText()) === "following", "the page follows");
  await put(["second"]);
  await until(async () => (await shown()).includes("second"), "the page shows the change");
  await until(async () => (await page.locator("#at").innerText()) === "2", "and where it stands");
  await put("x".repeat(300_000));
  await until(async () => (await shown()).length > 300_000, "a value that is only noticed is fetched");
  await fetch(url, { method: "DELETE" });
  await until(async () => (await shown()) === "", "the page shows that it went");
  expect(complaints).toEqual([]);

  // The value itself, at the same address, for the page's own fetch: not the page from a cache.
  await put({ n: 1 });
  const fetched = await page.evaluate("fetch(location.href).then((answer) => answer.text())");
  expect(fetched).toBe('{"n":1}');
}, 60_000);
