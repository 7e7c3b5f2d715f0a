// Where one reader is in a channel's log: what of that which arrives is new, what was there already,
// and where something is missing. Pure; knows nothing of links and of what the application is told.
//
// Of a list of recovered publications the server says how far it goes. In what is pushed, each
// publication follows the one before it, or says by `after` that there is nothing between.
import type { Position } from "./types.ts";
import type { Incoming } from "./wire.ts";

export type Since = Position | "start" | "state";

export class Track {
  position?: Position;
  /** The offset held of each key whose value is newer than the position, up to the highest. */
  #keys?: Map<string | undefined, number>;
  #keysUntil = 0;

  /** The server's answer to a subscribe from `since`; with its publications the reader stands at its
   *  offset. True: all that was missed comes, and these are the first of it; false: the past is gone;
   *  undefined: it was not asked for by a position. */
  begin(since: Since | undefined, { epoch, offset, recovered, publications = [] }: Record<string, any>): boolean | undefined {
    this.#keys = undefined;
    this.position = epoch === undefined ? undefined : { epoch, offset };
    if (typeof since === "object") return recovered === true && epoch === since.epoch;
    if (since === "state") this.#beginKeys(publications);
    return undefined;
  }

  /** A push that says where the log is, with a publication or without. `gap`: something before it
   *  is missing, and nothing has been moved. */
  pushed({ offset, after, key, event }: Incoming): "new" | "old" | "gap" {
    if (!this.position || offset === undefined) return "new";
    const held = this.position.offset;
    if (offset <= held) return "old";
    const next = event === "message" && offset === held + 1;
    if (!next && !(after !== undefined && (after <= held || after + 1 === offset))) return "gap";
    this.position = { epoch: this.position.epoch, offset };
    const known = this.#keys?.get(key) ?? 0;
    if (offset >= this.#keysUntil) this.#keys = undefined;
    return offset <= known ? "old" : "new";
  }

  /** Last values may be newer than the answer's position; then they come once more. */
  #beginKeys(publications: Incoming[]): void {
    const newer = publications.filter(({ offset }) => offset > this.position!.offset);
    if (newer.length === 0) return;
    this.#keys = new Map(newer.map(({ key, offset }) => [key, offset]));
    this.#keysUntil = Math.max(...this.#keys.values());
  }
}
