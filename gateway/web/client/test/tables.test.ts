// The client knows the server's close codes by heart: hold its memory against the one table.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fullJitter } from "../src/backoff.ts";
import { errorOfClose, mayReconnect } from "../src/close_codes.ts";

const header = new URL("../../../../proto/include/peal/proto/close_code.hpp", import.meta.url);

describe("close codes", () => {
  it("are those of the server's table, every one", () => {
    const rows = [...readFileSync(header, "utf8").matchAll(/X\((\w+), (\d+), (true|false), "/g)];
    expect(rows.length).toBeGreaterThanOrEqual(14);
    for (const [, name, number, may] of rows) {
      expect(mayReconnect(Number(number)), name).toBe(may === "true");
      expect(errorOfClose(Number(number), "")).toMatchObject({
        code: name, temporary: may === "true", closeCode: Number(number),
      });
    }
  });

  it("follow their ranges where the table has no row", () => {
    for (const code of [1005, 1006, 1013, 3333, 4001]) expect(mayReconnect(code)).toBe(true);
    for (const code of [3502, 3777, 3999]) expect(mayReconnect(code)).toBe(false);
    expect(errorOfClose(1006, "")).toMatchObject({ code: "connection_lost", temporary: true });
  });
});

describe("full jitter", () => {
  it("stays within the doubling bound, and uses all of it", () => {
    const options = { base: 100, max: 1000 };
    for (let attempt = 0; attempt < 2000; ++attempt) {
      const bound = Math.min(1000, 100 * 2 ** attempt);
      expect(fullJitter(attempt, options, () => 0)).toBe(0);
      expect(fullJitter(attempt, options, () => 1)).toBe(bound);
    }
  });

  it("spreads clients that failed together", () => {
    const waits = new Set(Array.from({ length: 1000 }, () =>
      fullJitter(5, { base: 500, max: 20_000 }, Math.random)));
    expect(waits.size).toBeGreaterThan(800);
  });
});
