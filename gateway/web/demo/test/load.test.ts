import { describe, expect, it } from "vitest";
import { LoadParser } from "../src/load.ts";
import { kSpan, Series } from "../src/series.ts";

const kHeadings = " r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa st";
const kLine = " 2  0      0 123456  78901 234567    0    0     5    12  340  560 23  4 72  1  0";

describe("a load reading", () => {
  it("is taken from a line of vmstat, with or without its headings", () => {
    expect(new LoadParser().parse(kLine)).toEqual({ user: 23, system: 4 });
    const parser = new LoadParser();
    expect(parser.parse("procs -----------memory---------- ---swap-- -----io---- -system-- ------cpu-----")).toBeUndefined();
    expect(parser.parse(kHeadings)).toBeUndefined();
    expect(parser.parse(kLine)).toEqual({ user: 23, system: 4 });
  });

  it("follows the headings of a vmstat with other columns", () => {
    const parser = new LoadParser();
    parser.parse("r b swpd free buff cache si so bi bo in cs gu us sy id wa st");
    expect(parser.parse("1 0 0 1 1 1 0 0 0 0 9 9 0 11 7 82 0 0")).toEqual({ user: 11, system: 7 });
  });

  it("is taken from an object or a number", () => {
    const parser = new LoadParser();
    expect(parser.parse({ cpu: 12.5 })).toEqual({ user: 12.5, system: 0 });
    expect(parser.parse({ cpu: 12.5, system: 2.5 })).toEqual({ user: 10, system: 2.5 });
    expect(parser.parse({ user: 10, system: 2 })).toEqual({ user: 10, system: 2 });
    expect(parser.parse(42)).toEqual({ user: 42, system: 0 });
  });

  it("is nothing for anything else", () => {
    const parser = new LoadParser();
    for (const message of ["", "hello", "1 2 3", kLine.replace(" 23 ", " x "), kLine.replace(" 23 ", " 98 "), {}, [], null,
                           { cpu: "12" }, { cpu: -1 }, { cpu: 101 }, NaN, true]) {
      expect(parser.parse(message), JSON.stringify(message)).toBeUndefined();
    }
  });
});

describe("the series", () => {
  const reading = (user: number, system = 0) => ({ user, system });

  it("ends now, on the right", () => {
    const series = new Series();
    series.add(reading(10, 5), 0);
    series.add(reading(20, 5), 1000);
    expect(series.shapes(1000).line).toBe("M59 85L60 75");
    expect(series.shapes(1000).system).toBe("M59 100L59 95L60 95L60 100Z");
    expect(series.shapes(11_000).line).toBe("M49 85L50 75");
  });

  it("has a gap where readings are missing", () => {
    const series = new Series();
    for (const at of [0, 1000, 9000, 10_000]) series.add(reading(50), at);
    expect(series.shapes(10_000).line.match(/M/g)).toHaveLength(2);
  });

  it("forgets what is older than it shows", () => {
    const series = new Series();
    for (let at = 0; at < 10 * kSpan; at += 1000) series.add(reading(at === 0 ? 99 : 1), at);
    expect(series.summary()!.highest).toBe(1);
    expect(series.shapes(10 * kSpan).line.length).toBeLessThan(2000);
    series.shapes(20 * kSpan);
    expect(series.summary()).toBeUndefined();
  });

  it("says in numbers what it shows", () => {
    const series = new Series();
    expect(series.summary()).toBeUndefined();
    series.add(reading(60, 10.4), 0);
    series.add(reading(20), 2000);
    expect(series.summary()).toEqual({ now: 20, highest: 70, seconds: 2 });
  });
});
