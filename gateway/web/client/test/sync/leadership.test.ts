// Who of several tabs leads, with the browser's locks and without.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { byLease, byWebLock } from "../../src/sync/leadership.ts";
import { MemoryStorage } from "../../src/sync/memory_storage.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Grants one lock at a time, in the order of asking, as browsers do. */
class FakeLocks {
  #tail: Promise<unknown> = Promise.resolve();

  request(_: string, { signal }: { signal: AbortSignal }, held: () => unknown): Promise<unknown> {
    const mine = this.#tail.then(() => (signal.aborted ? undefined : held()));
    this.#tail = mine.catch(() => {});
    return mine;
  }
}

function tabs(make: (name: string) => { campaign(lead: () => void, follow: () => void): () => void }) {
  const leading = new Set<string>();
  const enter = (name: string) => make(name).campaign(() => leading.add(name), () => leading.delete(name));
  const leave = (name: string, resign: () => void) => (resign(), leading.delete(name));
  return { leading, enter, leave };
}

describe("with locks", () => {
  it("one leads; when it is gone the next one does; who gave up waiting never does", async () => {
    const locks = new FakeLocks() as unknown as LockManager;
    const { leading, enter, leave } = tabs(() => byWebLock("todo", locks));
    const [a, b, c] = [enter("a"), enter("b"), enter("c")];
    await vi.advanceTimersByTimeAsync(0);
    expect([...leading]).toEqual(["a"]);
    leave("b", b);
    leave("a", a);
    await vi.advanceTimersByTimeAsync(0);
    expect([...leading]).toEqual(["c"]);
    leave("c", c);
  });
});

describe("with a lease", () => {
  const storage = new MemoryStorage();
  const set = () => tabs((name) => byLease(storage.open(), name, 3000));

  it("one leads for as long as it renews it; then the next one does", async () => {
    const { leading, enter, leave } = set();
    const [a, b] = [enter("a"), enter("b")];
    await vi.advanceTimersByTimeAsync(60_000);
    expect([...leading]).toEqual(["a"]);
    leave("a", a);
    await vi.advanceTimersByTimeAsync(1000);
    expect([...leading]).toEqual(["b"]);
    leave("b", b);
  });

  it("one that crashed is followed within the time of the lease", async () => {
    const { leading, enter, leave } = set();
    await storage.open().lease("crashed", 3000);
    const b = enter("b");
    await vi.advanceTimersByTimeAsync(0);
    expect([...leading]).toEqual([]);
    await vi.advanceTimersByTimeAsync(4000);
    expect([...leading]).toEqual(["b"]);
    leave("b", b);
  });

  it("one that slept too long ceases to lead when it wakes up", async () => {
    const { leading, enter, leave } = set();
    const a = enter("a");
    await vi.advanceTimersByTimeAsync(0);
    vi.setSystemTime(Date.now() + 10_000);
    await storage.open().lease("b", 60_000);
    await vi.advanceTimersByTimeAsync(1000);
    expect([...leading]).toEqual([]);
    await storage.open().release("b");
    leave("a", a);
  });
});
