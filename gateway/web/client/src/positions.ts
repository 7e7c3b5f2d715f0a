// @peal/client/positions: positions that outlive the page, so that after a reload subscriptions go on
// where the application was done: nothing missed, nothing twice.
//
// A publication counts as done when its listeners have returned, or, in a loop, when the loop asks for
// the next one; with several of them, when the slowest is done. What is done is written at most every
// `every` ms and when the page goes away. A page that is killed without a word may get what came in
// the last `every` ms once more; it never misses anything.
import type { Position, PositionStore } from "./types.ts";

export interface StoredPositionsOptions {
  /** `sessionStorage` when nothing is said: each tab has its own, and keeps it over a reload. With
   *  `localStorage` positions outlive the tab too, but then only one tab at a time may use the name. */
  storage?: Pick<Storage, "getItem" | "setItem">;
  /** The shortest time between two writes, in ms (100). */
  every?: number;
}

/** Most channels that are kept; the one that moved longest ago goes first. */
const kChannelsMax = 1000;

/** `name` tells the application's positions from those of others on the same origin. */
export function storedPositions(name: string, options: StoredPositionsOptions = {}): PositionStore {
  return new StoredPositions(`peal.positions.${name}`, options);
}

class StoredPositions implements PositionStore {
  readonly #positions: Map<string, Position>;
  readonly #key: string;
  readonly #storage?: StoredPositionsOptions["storage"];
  readonly #every: number;
  #wait?: ReturnType<typeof setTimeout>;
  #changed = false;

  constructor(key: string, { storage = ownStorage(), every = 100 }: StoredPositionsOptions) {
    this.#key = key;
    this.#storage = storage;
    this.#every = every;
    this.#positions = read(key, storage);
    const page = globalThis as Partial<Pick<EventTarget, "addEventListener">>;
    const document = (globalThis as { document?: EventTarget }).document;
    page.addEventListener?.("pagehide", () => this.#write());
    for (const event of ["visibilitychange", "freeze"]) document?.addEventListener(event, () => this.#write());
  }

  get(channel: string): Position | undefined {
    return this.#positions.get(channel);
  }

  set(channel: string, { epoch, offset }: Position): void {
    this.#positions.delete(channel);  // the youngest stand last
    this.#positions.set(channel, { epoch, offset });
    if (this.#positions.size > kChannelsMax) this.#positions.delete(this.#positions.keys().next().value!);
    this.#moved();
  }

  delete(channel: string): void {
    if (this.#positions.delete(channel)) this.#moved();
  }

  /** The first change is written at once, what follows it together. */
  #moved(): void {
    this.#changed = true;
    if (this.#wait !== undefined) return;
    this.#write();
    this.#wait = setTimeout(() => {
      this.#wait = undefined;
      if (this.#changed) this.#moved();
    }, this.#every);
    (this.#wait as { unref?(): void }).unref?.();
  }

  #write(): void {
    if (!this.#changed) return;
    this.#changed = false;
    try {
      const positions = [...this.#positions].map(([channel, { epoch, offset }]) => [channel, epoch, offset]);
      this.#storage?.setItem(this.#key, JSON.stringify({ version: 1, positions }));
    } catch {
      // Full or forbidden: then a reload begins with what comes next.
    }
  }
}

function ownStorage(): StoredPositionsOptions["storage"] {
  try {
    return globalThis.sessionStorage;
  } catch {
    return undefined;  // pages without an origin may not even ask
  }
}

/** What is there, if it is ours and whole; anything else counts as nothing. */
function read(key: string, storage: StoredPositionsOptions["storage"]): Map<string, Position> {
  const positions = new Map<string, Position>();
  try {
    const stored = JSON.parse(storage?.getItem(key) ?? "{}");
    if (stored.version !== 1) return positions;
    for (const [channel, epoch, offset] of stored.positions) {
      const sound = typeof channel === "string" && /^[0-9A-Za-z]{8}$/.test(epoch) && Number.isSafeInteger(offset);
      if (sound && offset >= 0) positions.set(channel, { epoch, offset });
    }
  } catch {
    // Not ours.
  }
  return positions;
}
