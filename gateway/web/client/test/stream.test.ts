import { describe, expect, it } from "vitest";
import { Stream } from "../src/stream.ts";

describe("a stream", () => {
  it("gives everything in order, also to a loop that waits", async () => {
    const stream = new Stream<number>(10);
    stream.push(1);
    const got: number[] = [];
    const loop = (async () => {
      for await (const item of stream) got.push(item);
    })();
    await Promise.resolve();
    stream.push(2);
    stream.push(3);
    stream.end();
    await loop;
    expect(got).toEqual([1, 2, 3]);
  });

  it("ends with an error after all that it took, when its reader is too slow", async () => {
    const stream = new Stream<number>(2);
    for (const item of [1, 2, 3, 4]) stream.push(item);
    const got: number[] = [];
    const loop = (async () => {
      for await (const item of stream) got.push(item);
    })();
    await expect(loop).rejects.toMatchObject({ code: "buffer_full" });
    expect(got).toEqual([1, 2]);
  });

  it("forgets what it holds when the loop is left, and says that it was", async () => {
    let left = 0;
    const stream = new Stream<number>(10, () => ++left);
    stream.push(1);
    stream.push(2);
    for await (const item of stream) {
      expect(item).toBe(1);
      break;
    }
    stream.push(3);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(left).toBeGreaterThan(0);
  });
});
