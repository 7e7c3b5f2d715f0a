// Two pages, one of another origin, and a client outside of the browser append to one document at the same
// time, each on the condition that it knows the last position. The order is total, nothing is lost, and who was
// too late is told where the document is now.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { stage } from "./support/stage.ts";

const here = stage();
const kAppends = 10_000;

interface Report {
  name: string;
  /** Offsets at which its appends stand, in its own order. */
  won: number[];
  lost: number;
  /** Losses without the current position. */
  untold: number;
}

/** Appends until the document has `until` entries; runs in a page as well as here, so it stands alone. */
async function race(url: string, name: string, until: number): Promise<Report> {
  const report: Report = { name, won: [], lost: 0, untold: 0 };
  let tag = (await fetch(url, { cache: "no-store" })).headers.get("ETag")!;
  const offsetOf = (text: string) => Number(text.split("-")[1]!.replace('"', ""));
  while (offsetOf(tag) < until) {
    const response = await fetch(url, {
      method: "PUT", headers: { "If-Match": tag, "Content-Type": "application/json" },
      body: JSON.stringify({ by: name, n: report.won.length, after: offsetOf(tag) }),
    });
    await response.text();
    const now = response.headers.get("ETag");
    if (response.status === 200) {
      tag = now!;
      report.won.push(offsetOf(tag));
    } else if (response.status === 412) {
      report.lost += 1;
      if (!now || now === tag) report.untold += 1;
      tag = now ?? (await fetch(url, { cache: "no-store" })).headers.get("ETag")!;
    } else {
      throw new Error(`status ${response.status}`);
    }
  }
  return report;
}

it("gives three racing writers one order and loses nothing", { timeout: 600_000 }, async () => {
  const strange = createServer((_, response) => {
    response.writeHead(200, { "Content-Type": "text/html" }).end("<title>strange</title>");
  });
  await new Promise<void>((resolve) => strange.listen(0, "127.0.0.1", resolve));
  try {
    const other = `http://127.0.0.1:${(strange.address() as AddressInfo).port}`;
    const gateway = await here.gateway("gateway-1", ["--allowed-origins", other]);
    const url = `${gateway.origin}/channels/log:race`;
    const created = await fetch(url, {
      method: "PUT", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ by: "nobody", n: 0, after: 0 }),
    });
    expect(created.status).toBe(201);

    const pages = [await here.blankPage(gateway), await (await here.context()).newPage()];
    await pages[1]!.goto(other);
    const before = performance.now();
    const reports = await Promise.all([
      ...pages.map((page, index) =>
        page.evaluate(`(${race.toString()})(${JSON.stringify(url)}, "page ${index}", ${kAppends + 1})`) as Promise<Report>),
      race(url, "node", kAppends + 1),
    ]);
    const seconds = (performance.now() - before) / 1000;

    // What they were told together is every position once.
    const won = reports.flatMap((report) => report.won).sort((a, b) => a - b);
    expect(won.length).toBeGreaterThanOrEqual(kAppends);
    expect(won).toEqual(won.map((_, index) => index + 2));
    expect(reports.map((report) => report.untold)).toEqual([0, 0, 0]);
    for (const report of reports) expect(report.won.length, report.name).toBeGreaterThan(0);

    // And the log holds just that, each entry behind the one that its writer knew.
    const found = new Map<string, number[]>();
    for (let since = "start", at = 1; at < won.at(-1)!;) {
      const page = (await (await fetch(`${url}?since=${since}&limit=1000`)).json()) as {
        epoch: string; publications: { offset: number; message: { by: string; n: number; after: number } }[];
      };
      for (const { offset, message } of page.publications) {
        expect(message.after).toBe(offset - 1);
        const own = found.get(message.by) ?? [];
        if (message.by !== "nobody") expect(message.n).toBe(own.length);
        found.set(message.by, [...own, offset]);
        at = offset;
      }
      since = `${page.epoch}-${at}`;
    }
    for (const report of reports) expect(found.get(report.name), report.name).toEqual(report.won);
    const losses = reports.reduce((sum, report) => sum + report.lost, 0);
    console.log(`${won.length} conditional appends by three writers in ${seconds.toFixed(1)} s, ${losses} told to look again`);
  } finally {
    strange.close();
  }
});
