// The table of outcomes, whole: every combination of what can be here and there.
import { describe, expect, it } from "vitest";
import { decide, type Outcome, type Situation } from "../../src/sync/decide.ts";

const kHere = {
  none: { held: false, dirty: false },
  clean: { held: true, dirty: false },
  written: { held: true, dirty: true },
  deleted: { held: false, dirty: true },
} as const;
const kBase = {
  never: {},
  value: { etag: '"e-1"' },
  deletion: { etag: '"e-1"', baseDeleted: true },
} as const;
const kThere = {
  nothing: { remote: "nothing" },
  deletion: { remote: "deleted", remoteEtag: '"e-2"' },
  "the same": { remote: "value", remoteEtag: '"e-1"' },
  "another": { remote: "value", remoteEtag: '"e-2"' },
  "an equal one": { remote: "value", remoteEtag: '"e-2"', equalContent: true },
  "the same, and equal": { remote: "value", remoteEtag: '"e-1"', equalContent: true },
} as const;

type Here = keyof typeof kHere;
type Base = keyof typeof kBase;
type There = keyof typeof kThere;

// Columns: nothing, deletion, the same, another, an equal one, the same and equal. A dash: it
// can't be (a clean value was taken from somewhere; what is not here equals nothing).
const kTable: [Here, Base, string][] = [
  ["none", "never", "NOOP NOOP - REDOWNLOAD - -"],
  ["none", "value", "- - - - - -"],
  ["none", "deletion", "NOOP NOOP - REDOWNLOAD - -"],
  ["clean", "never", "- - - - - -"],
  ["clean", "value", "RESTORE DROP NOOP REDOWNLOAD ADOPT NOOP"],
  ["clean", "deletion", "- - - - - -"],
  ["written", "never", "CREATE CREATE - CONFLICT ADOPT -"],
  ["written", "value", "CREATE CONFLICT OK CONFLICT ADOPT ADOPT"],
  ["written", "deletion", "CREATE CREATE - CONFLICT ADOPT -"],
  ["deleted", "never", "FORGET FORGET - REDOWNLOAD - -"],
  ["deleted", "value", "FORGET FORGET DELETE CONFLICT - -"],
  ["deleted", "deletion", "FORGET FORGET - REDOWNLOAD - -"],
];

describe("decide", () => {
  it("has an outcome for every combination that there can be, and a row for each other", () => {
    expect(new Set(kTable.map(([here, base]) => `${here} ${base}`)).size)
      .toBe(Object.keys(kHere).length * Object.keys(kBase).length);
    for (const [, , outcomes] of kTable) expect(outcomes.split(" ")).toHaveLength(Object.keys(kThere).length);
  });

  const cases = kTable.flatMap(([here, base, outcomes]) =>
    outcomes.split(" ").map((outcome, index) =>
      ({ here, base, there: Object.keys(kThere)[index] as There, outcome: outcome as Outcome | "-" })))
    .filter(({ outcome }) => outcome !== "-");
  it.each(cases)("$here here, $base taken, $there there: $outcome", ({ here, base, there, outcome }) => {
    expect(decide({ ...kBase[base], ...kHere[here], ...kThere[there] })).toBe(outcome);
  });

  it("never overwrites or deletes what nobody here has seen, and never drops what was done here unasked", () => {
    for (const here of Object.values(kHere)) for (const base of Object.values(kBase)) for (const there of Object.values(kThere)) {
      const situation: Situation = { ...base, ...here, ...there };
      const outcome = decide(situation);
      if (outcome === "OK" || outcome === "DELETE") expect(situation.etag).toBe(situation.remoteEtag);
      if (outcome === "CREATE" || outcome === "RESTORE") expect(situation.remote).not.toBe("value");
      if (here.dirty && here.held && !situation.equalContent) expect(["OK", "CREATE", "CONFLICT"]).toContain(outcome);
      if (!here.dirty) expect(["CREATE", "OK", "DELETE", "CONFLICT", "FORGET"]).not.toContain(outcome);
    }
  });
});
