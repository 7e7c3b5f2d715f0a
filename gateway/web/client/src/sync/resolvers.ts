// How conflicts are settled: ready-made ways, and the shape of an application's own.
import { equal as same } from "./equal.ts";
import { valueOf, type Resolution, type Stored } from "./record.ts";

export interface Conflict<T = unknown> {
  uri: string;
  /** What both sides began with; undefined: nothing was there, or it is not known. */
  base: T | undefined;
  /** Undefined: deleted. */
  mine: T | undefined;
  theirs: T | undefined;
  /** `mine` may already have been applied before `theirs`: the server's log can no longer tell. */
  unsure: boolean;
}

/** "later": both are kept until the application decides (`document.resolve`). */
export type Decision<T = unknown> = Resolution<T> | "later";
export type Resolver<T = any> = (conflict: Conflict<T>) => Decision<T> | Promise<Decision<T>>;

/** Who came first to the server stays. */
export const firstWins: Resolver = () => "theirs";
/** Who comes last overwrites. */
export const lastWins: Resolver = () => "mine";
/** A person decides. */
export const manual: Resolver = () => "later";

/** Sets, as arrays without repetition: what either side added is in, what either side removed is
 *  out. */
export function mergeSets<T>(base: readonly T[], mine: readonly T[], theirs: readonly T[]): T[] {
  const removed = new Set(base.filter((item) => !mine.includes(item)));
  const known = new Set([...base, ...theirs]);
  return [...theirs.filter((item) => !removed.has(item)), ...mine.filter((item) => !known.has(item))];
}

/** Objects, member by member: one that only one side changed is taken from there. Where both
 *  changed the same one, and where one side deleted it all, `onBoth` decides. */
export function mergeMembers(
  onBoth: "mine" | "theirs" | "later" = "theirs",
): Resolver<Record<string, unknown>> {
  return ({ base = {}, mine, theirs }) => {
    if (!mine || !theirs) return onBoth;
    const merged: Record<string, unknown> = { ...theirs };
    for (const name of new Set([...Object.keys(mine), ...Object.keys(base)])) {
      if (same(mine[name], base[name]) || same(mine[name], theirs[name])) continue;
      if (!same(theirs[name], base[name])) {
        if (onBoth === "later") return "later";
        if (onBoth === "theirs") continue;
      }
      if (mine[name] === undefined) delete merged[name];
      else merged[name] = mine[name];
    }
    return { value: merged };
  };
}

export function conflictOf(record: Stored): Conflict {
  const { uri, base, theirs, unsure = false } = record;
  return {
    uri, unsure,
    base: base?.is === "value" ? base.value : undefined,
    mine: valueOf(record),
    theirs: theirs?.is === "value" ? theirs.value : undefined,
  };
}
