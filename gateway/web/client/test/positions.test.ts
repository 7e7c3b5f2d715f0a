// Positions that outlive the page: what counts as done, when it is written, and what is believed.
import { afterEach, describe, expect, it, vi } from "vitest";
import { storedPositions } from "../src/positions.ts";
import { Progress } from "../src/progress.ts";
import { Stream } from "../src/stream.ts";
import type { Position } from "../src/types.ts";

const kEpoch = "epoch001";
const at = (offset: number): Position => ({ epoch: kEpoch, offset });

class FakeStorage {
  readonly items = new Map<string, string>();
  writes = 0;
  getItem(key: string): string | null {
    return this.items.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    ++this.writes;
    this.items.set(key, value);
  }
}

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("stored positions", () => {
  it("are there after a reload", () => {
    const storage = new FakeStorage();
    storedPositions("app", { storage }).set("a", at(7));
    expect(storedPositions("app", { storage }).get("a")).toEqual(at(7));
    expect(storedPositions("other", { storage }).get("a")).toBeUndefined();
    storedPositions("app", { storage }).delete("a");
    expect(storedPositions("app", { storage }).get("a")).toBeUndefined();
  });

  it("are written together, and when the page goes away", () => {
    vi.useFakeTimers();
    const page = new EventTarget();
    vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
    const storage = new FakeStorage();
    const positions = storedPositions("app", { storage });
    for (let offset = 1; offset <= 100; ++offset) positions.set("a", at(offset));
    expect(storage.writes).toBe(1);
    vi.advanceTimersByTime(100);
    expect(storage.writes).toBe(2);
    expect(storedPositions("app", { storage }).get("a")).toEqual(at(100));
    positions.set("a", at(101));
    page.dispatchEvent(new Event("pagehide"));
    expect(storedPositions("app", { storage }).get("a")).toEqual(at(101));
  });

  it("that are not ours, or broken, are none", () => {
    const sound = ["good", kEpoch, 3];
    for (const [content, good] of [
      ["{", false], ["null", false], ["7", false], ['{"version":2,"positions":[["good","epoch001",3]]}', false],
      ['{"version":1}', false],
      [JSON.stringify({ version: 1, positions: [sound, ["a", "short", 1], ["b", kEpoch, -1], ["c", kEpoch, 1e300]] }), true],
    ] as const) {
      const storage = new FakeStorage();
      storage.items.set("peal.positions.app", content);
      const positions = storedPositions("app", { storage });
      expect(positions.get("good"), content).toEqual(good ? at(3) : undefined);
      for (const channel of ["a", "b", "c"]) expect(positions.get(channel)).toBeUndefined();
    }
  });

  it("do without a storage that is full or forbidden", () => {
    const storage = {
      getItem: () => { throw new Error("forbidden"); },
      setItem: () => { throw new Error("full"); },
    };
    const positions = storedPositions("app", { storage });
    positions.set("a", at(1));
    expect(positions.get("a")).toEqual(at(1));
  });

  it("forget the channel that moved longest ago when there are too many", () => {
    const positions = storedPositions("app", { storage: new FakeStorage() });
    for (let i = 0; i < 1001; ++i) positions.set(`c${i}`, at(i));
    expect([positions.get("c0"), positions.get("c1")]).toEqual([undefined, at(1)]);
  });
});

describe("progress", () => {
  it("goes as far as the slowest reader, in order", async () => {
    const reached: number[] = [];
    const progress = new Progress(({ offset }) => reached.push(offset));
    const loops = [new Stream<number>(10), new Stream<number>(10)];
    for (const offset of [1, 2, 3]) {
      const step = progress.step(at(offset));
      for (const loop of loops) loop.push(offset, step);
      step.release();
    }
    const [fast, slow] = loops as [Stream<number>, Stream<number>];
    for (let i = 0; i < 3; ++i) await fast.next();
    expect(reached).toEqual([]);
    await slow.next();
    expect(reached, "the loop is still at the first").toEqual([]);
    await slow.next();
    expect(reached).toEqual([1]);
    await slow.return();
    expect(reached).toEqual([1, 2]);
    await fast.return();
    expect(reached).toEqual([1, 2, 3]);
  });

  it("does not pass what a full buffer could not take", async () => {
    const reached: number[] = [];
    const progress = new Progress(({ offset }) => reached.push(offset));
    const loop = new Stream<number>(1);
    for (const offset of [1, 2]) {
      const step = progress.step(at(offset));
      loop.push(offset, step);
      step.release();
    }
    await loop.next();
    await expect(loop.next()).rejects.toMatchObject({ code: "buffer_full" });
    expect(reached).toEqual([1]);
  });
});
