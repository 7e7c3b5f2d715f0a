// A strong ETag as a place in a log: "epoch-offset". Other forms of the same value add ";suffix"
// behind it, and caches may mark it weak; the place is the same.
import type { Position } from "../types.ts";

export function parseTag(etag: string | null): Position | undefined {
  const found = /^(?:W\/)?"([0-9A-Za-z]{8})-(\d{1,16})(?:;[^"]*)?"$/.exec(etag?.trim() ?? "");
  const offset = Number(found?.[2]);
  return found && Number.isSafeInteger(offset) ? { epoch: found[1]!, offset } : undefined;
}

export function writeTag(tag: Position): string {
  return `"${tag.epoch}-${tag.offset}"`;
}

export function sameTag(one: Position | undefined, other: Position | undefined): boolean {
  return one !== undefined && other !== undefined && one.epoch === other.epoch && one.offset === other.offset;
}
