// What a replica needs of a server: a document read, written and deleted on a condition, and what
// its log says. Every call may fail with a RemoteError, or never answer until its signal aborts.
import type { Position } from "../types.ts";
import { sameContent, type Base, type Change, type Remote } from "./record.ts";

export interface RemoteStore {
  /** `unless`: "same" instead of what the replica has already. */
  get(uri: string, unless: Position | undefined, signal: AbortSignal): Promise<Remote | "same">;
  /** `on`: only if this is still the last position; "absent": only if there is no value. */
  put(uri: string, value: unknown, on: Position | "absent", signal: AbortSignal): Promise<Position | "changed">;
  remove(uri: string, on: Position, signal: AbortSignal): Promise<Position | "changed">;
  /** What followed, oldest first, as far as one answer reaches; "lost" when the log is another, or
   *  no longer reaches back there. */
  since(uri: string, after: Position | "start", signal: AbortSignal): Promise<Base[] | "lost">;
}

export class RemoteError extends Error {
  override readonly name = "RemoteError";
  readonly code: string;
  /** Whether it is worth trying again. What was asked may have been done all the same. */
  readonly temporary: boolean;

  constructor(code: string, message: string, temporary: boolean) {
    super(message);
    this.code = code;
    this.temporary = temporary;
  }
}

const kPagesMax = 50;

/** Where in the log a change stands that was sent and whose answer was lost: the first thing after
 *  its base that could be it and has its content. It was sent on the condition that nothing came
 *  between, so it is there or nowhere; "unsure" when the log does not reach back so far. */
export async function findApplied(
  remote: RemoteStore, uri: string, base: Base | undefined, sent: Change, signal: AbortSignal,
): Promise<Position | "no" | "unsure"> {
  if (base?.is === "value") {
    const page = await remote.since(uri, base.tag, signal);
    if (page === "lost") return "unsure";
    const first = page[0];
    if (!first) return "no";
    if (first.tag?.offset !== base.tag.offset + 1) return "unsure";
    return sameContent(sent, first) ? first.tag : "no";
  }
  let after: Position | "start" = base?.tag ?? "start";
  let absent = true;
  for (let pages = 0; pages < kPagesMax; ++pages) {
    const page: Base[] | "lost" = await remote.since(uri, after, signal);
    if (page === "lost") return "unsure";
    for (const publication of page) {
      if (absent && sameContent(sent, publication)) return publication.tag!;
      absent = publication.is === "deleted";
    }
    const last = page.at(-1)?.tag;
    if (!last) return "no";
    after = last;
  }
  return "unsure";
}
