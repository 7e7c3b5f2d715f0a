// A bounded queue between what arrives and a loop that reads it. It never drops silently: when it
// is full it ends, and the loop gets everything up to there and then the error.
import { PealError } from "./errors.ts";

export class Stream<T> implements AsyncIterableIterator<T> {
  readonly #items: T[] = [];
  readonly #max: number;
  readonly #left: () => void;
  #ended = false;
  #error?: PealError;
  #wake?: () => void;

  /** `left` is called when the loop is left. */
  constructor(max: number, left: () => void = () => {}) {
    this.#max = max;
    this.#left = left;
  }

  push(item: T): void {
    if (this.#ended) return;
    if (this.#items.length >= this.#max) {
      this.end(new PealError("buffer_full", `${this.#max} publications wait to be read (bufferMax)`));
    } else {
      this.#items.push(item);
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
    for (;;) {
      if (this.#items.length > 0) return { done: false, value: this.#items.shift()! };
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
    this.#items.length = 0;
    this.end();
    this.#left();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
