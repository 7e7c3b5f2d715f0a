// Which way to the server is taken. The best one first; the next when the server can be reached over
// HTTP but this way can't be gone; and later the best one again, when it was seen to work.
// A server that can't be reached at all, or that says no, is no reason to change.
import type { TransportName } from "./types.ts";

/** WebSockets fail for a moment when a server restarts behind a proxy: once proves nothing. */
const kTries: Record<TransportName, number> = { websocket: 2, sse: 1, poll: 1 };
const kLookAfter = 60_000;
const kLookAfterMax = 600_000;

export class TransportChoice {
  readonly #names: readonly TransportName[];
  #at = 0;
  #failures = 0;
  #lookAfter = kLookAfter;

  constructor(names: readonly TransportName[]) {
    this.#names = names;
  }

  get current(): TransportName {
    return this.#names[this.#at]!;
  }

  /** Milliseconds until a better way is looked for; undefined on the best one. */
  get lookAfter(): number | undefined {
    return this.#at > 0 ? this.#lookAfter : undefined;
  }

  /** This way is blocked though the server is there: true when another one is taken now. */
  blocked(): boolean {
    if (++this.#failures < kTries[this.current] || this.#names.length === 1) return false;
    this.#failures = 0;
    this.#at = (this.#at + 1) % this.#names.length;
    return true;
  }

  works(): void {
    this.#failures = 0;
  }

  /** The better way that is looked at next. */
  get better(): TransportName {
    return this.#names[0]!;
  }

  /** What came of looking: true when another way is taken now. */
  looked(works: boolean): boolean {
    this.#lookAfter = works ? kLookAfter : Math.min(this.#lookAfter * 2, kLookAfterMax);
    const before = this.#at;
    if (works) this.#at = 0;
    // Only a WebSocket can be tried aside; from long-poll a stream is tried by taking it.
    else if (this.current === "poll") this.#at = Math.max(0, this.#names.indexOf("sse"));
    this.#failures = 0;
    return this.#at !== before;
  }
}
