import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Timers } from "../src/timers.ts";

describe("timers", () => {
  let fired: string[];
  let timers: Timers<"a" | "b">;

  beforeEach(() => {
    vi.useFakeTimers();
    fired = [];
    timers = new Timers((name) => fired.push(name));
  });
  afterEach(() => void vi.useRealTimers());

  it("fire once, by name", () => {
    timers.arm("a", 10);
    timers.arm("b", 20);
    vi.advanceTimersByTime(15);
    expect(fired).toEqual(["a"]);
    vi.advanceTimersByTime(1000);
    expect(fired).toEqual(["a", "b"]);
  });

  it("are pushed back without setting the platform's timer anew", () => {
    timers.arm("a", 100);
    const set = vi.spyOn(globalThis, "setTimeout");
    for (let i = 0; i < 1000; ++i) {
      vi.advanceTimersByTime(1);
      timers.arm("a", 100);
    }
    expect(fired).toEqual([]);
    expect(set.mock.calls.length).toBeLessThanOrEqual(10);
    vi.advanceTimersByTime(99);
    expect(fired).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(fired).toEqual(["a"]);
    set.mockRestore();
  });

  it("can be brought forward, and disarmed", () => {
    timers.arm("a", 1000);
    timers.arm("a", 10);
    timers.arm("b", 10);
    timers.disarm("b");
    vi.advanceTimersByTime(5000);
    expect(fired).toEqual(["a"]);
  });

  it("can be armed by what they fire", () => {
    timers = new Timers((name) => {
      fired.push(name);
      if (fired.length < 3) timers.arm(name, 10);
    });
    timers.arm("a", 10);
    vi.advanceTimersByTime(100);
    expect(fired).toEqual(["a", "a", "a"]);
  });
});
