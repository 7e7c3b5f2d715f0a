// A bounded queue between what arrives and a loop that reads it. It never drops silently: when it
// is full it ends, and the loop gets everything up to there and then the error.
import { PealError } from "./errors.ts";
import type { Step } from "./progress.ts";

export class Stream<T> implements AsyncIterableIterator<T> {
  /** Items that the reader doesn't want are passed over. */
  wants: (item: T) => boolean = () => true;
  readonly #items: { item: T; step?: Step }[] = [];
  readonly #max: number;
  readonly #left: () => void;
  #ended = false;
  #error?: PealError;
  #wake?: () => void;
  /** Of the item that the loop is at. */
  #step?: Step;

  /** `left` is called when the loop is left. */
  constructor(max: number, left: () => void = () => {}) {
    this.#max = max;
    this.#left = left;
  }

  /** `step` is held until the loop asks for what comes after the item. */
  push(item: T, step?: Step): void {
    if (this.#ended) return;
    step?.hold();
    if (this.#items.length >= this.#max) {
      this.end(new PealError("buffer_full", `${this.#max} publications wait to be read (bufferMax)`));
    } else {
      this.#items.push({ item, step });
      this.#wake?.();
    }
  }

  end(error?: PealError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wake?.();
  }

  async next(): Promise<IteratorResult<T>> {
    this.#release();
    for (;;) {
      const first = this.#items.shift();
      if (first) {
        this.#step = first.step;
        if (this.wants(first.item)) return { done: false, value: first.item };
        this.#release();
        continue;
      }
      if (this.#ended) {
        const error = this.#error;
        this.#error = undefined;
        this.#left();
        if (error) throw error;
        return { done: true, value: undefined };
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async return(): Promise<IteratorResult<T>> {
    this.#release();
    for (const { step } of this.#items.splice(0)) step?.release();
    this.end();
    this.#left();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #release(): void {
    this.#step?.release();
    this.#step = undefined;
  }
}
