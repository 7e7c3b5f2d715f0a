// What the page asks of the backend. A browser speaks no SQL: it publishes a wish, the backend does
// it, and says whether it was done; the row itself comes back from the database, by the monitor.
import type { Peal } from "../../../client/src/index.ts";
import type { Status } from "./model.ts";

/** A total is as it was typed: what is no number the database refuses, in its own words. */
export type Wish =
  | { do: "add"; item: string; total: string }
  | { do: "change"; id: number; status: Status; total: string }
  | { do: "remove"; id: number };

const kWishes = "demo:orders:wishes";
const kAnswers = "demo:orders:answers";
/** After that nobody is there who would answer. */
const kAnswerWithin = 8000;

export class Wishes {
  readonly #peal: Peal;
  readonly #waiting = new Map<string, (refused: string | undefined) => void>();
  readonly #from = Math.random().toString(36).slice(2);
  #count = 0;

  constructor(peal: Peal) {
    this.#peal = peal;
    peal.subscribe(kAnswers).on("message", ({ message }) => {
      const { wish, refused } = (message ?? {}) as Record<string, unknown>;
      this.#waiting.get(String(wish))?.(typeof refused === "string" ? refused : undefined);
    });
  }

  /** Why it was not done; undefined when it was. */
  async ask(wish: Wish): Promise<string | undefined> {
    const name = `${this.#from}-${++this.#count}`;
    const answer = new Promise<string | undefined>((resolve) => this.#waiting.set(name, resolve));
    let late: ReturnType<typeof setTimeout> | undefined;
    const silence = new Promise<string>((resolve) => {
      late = setTimeout(() => resolve("the backend does not answer"), kAnswerWithin);
    });
    try {
      await this.#peal.publish(kWishes, { wish: name, ...wish });
      return await Promise.race([answer, silence]);
    } catch (error) {
      return (error as Error).message;
    } finally {
      clearTimeout(late);
      this.#waiting.delete(name);
    }
  }
}
