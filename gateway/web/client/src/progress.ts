// How far the application is done with a channel's publications: up to the last one before which
// nothing waits in a listener or in a loop. Only kept where positions are stored.
import type { Position } from "./types.ts";

/** One step of the way. Whoever still has to work on it holds it. */
export class Step {
  readonly position?: Position;
  /** One for who makes it, until all others have been told. */
  holds = 1;
  readonly #progress: Progress;

  constructor(progress: Progress, position?: Position) {
    this.#progress = progress;
    this.position = position;
  }

  hold(): this {
    ++this.holds;
    return this;
  }

  release(): void {
    if (--this.holds === 0) this.#progress.advance();
  }
}

export class Progress {
  readonly #steps: Step[] = [];
  readonly #reached: (position: Position) => void;

  constructor(reached: (position: Position) => void) {
    this.#reached = reached;
  }

  /** The caller releases it. */
  step(position?: Position): Step {
    const step = new Step(this, position);
    this.#steps.push(step);
    return step;
  }

  /** @internal */
  advance(): void {
    let position: Position | undefined;
    while (this.#steps[0]?.holds === 0) position = this.#steps.shift()!.position ?? position;
    if (position) this.#reached(position);
  }
}
