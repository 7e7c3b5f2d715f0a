// What a replica keeps of one document, and everything that can happen to it, as pure functions
// from record to record. A storage applies each as one atomic step, so that neither a crash nor
// another tab ever sees half of one. That alone makes two replicas over one storage safe.
//
//   base     what was last taken from the server, and where in its log that is
//   change   what was done here since (it has an id of its own); none: clean
//   sending  the change that has perhaps reached the server; kept until its fate is certain
//   theirs   what the server has instead; merged when nothing is being sent, else a conflict
import type { Position } from "../types.ts";
import { decide, type Outcome } from "./decide.ts";
import { equal } from "./equal.ts";
import { sameTag, writeTag } from "./tag.ts";

/** What the server has of a document. */
export type Remote =
  | { is: "value"; tag: Position; value: unknown }
  | { is: "deleted"; tag?: Position }
  /** Never there, or forgotten by the server. */
  | { is: "nothing"; tag?: undefined };

export type Base = Exclude<Remote, { is: "nothing" }>;

export interface Change {
  op: string;
  value?: unknown;
  deleted?: true;
  /** Not somebody's edit: the server had lost the value, and is given it back. */
  restored?: true;
}

export interface Refusal {
  code: string;
  message: string;
}

export interface Stored {
  uri: string;
  /** Grows with every step; a tab never shows an older one after a newer one. */
  version: number;
  /** Grows with every piece of news; dates answers that carry no position. */
  heard: number;
  /** The furthest place in the server's log that was heard of. */
  seen?: Position;
  base?: Base;
  change?: Change;
  sending?: Change;
  theirs?: Remote;
  /** Whether `sending` was applied could not be found out: the server's log no longer says. */
  unsure?: true;
  /** The server refused the change for good; it waits for another edit, or for `sync`. */
  refused?: Refusal;
  /** Epochs that this document has left: what still comes from them is old. */
  past?: string[];
}

const kPastMax = 8;

export function fresh(uri: string): Stored {
  return { uri, version: 0, heard: 0 };
}

/** What this replica shows. */
export function valueOf(record: Stored): unknown {
  if (record.change) return record.change.deleted ? undefined : record.change.value;
  return record.base?.is === "value" ? record.base.value : undefined;
}

export function inConflict(record: Stored): boolean {
  return record.theirs !== undefined && record.change !== undefined && !record.sending;
}

/** Something was done here: a new value, or with undefined a deletion. */
export function edit(record: Stored, value: unknown, op: string): Stored {
  const change: Change = value === undefined ? { op, deleted: true } : { op, value };
  const edited = without({ ...record, change }, "refused");
  if (edited.sending) return edited;
  return edited.theirs ? merge(edited, edited.theirs) : tidy(edited);
}

/** The change that may be sent now is marked as being sent, before the first byte of it leaves. */
export function begin(record: Stored): Stored {
  const { change, base } = record;
  if (!change || record.sending || record.theirs || record.refused) return record;
  if (change.deleted && base?.is !== "value") return tidy(record);
  return { ...record, sending: change };
}

/** News of what the server has. `asOf`: it answers a request that was made when `heard` was this. */
export function observe(record: Stored, remote: Remote, asOf?: number): Stored {
  if (!isNews(record, remote, asOf)) return record;
  const next = { ...record, heard: record.heard + 1, ...moved(record, remote.tag) };
  if (!record.sending) return merge(next, remote);
  if (sameContent(record.sending, remote)) return settle(next, remote);
  return { ...next, theirs: remote };
}

/** The server has applied what is being sent, at `tag`. */
export function acknowledge(record: Stored, op: string, tag: Position | undefined): Stored {
  const { sending, theirs } = record;
  if (sending?.op !== op) return record;
  // Applied in a life of the log that is over: what we know of came later.
  if (tag && record.past?.includes(tag.epoch)) return refute(record, op);
  const base: Base = sending.deleted ? { is: "deleted", ...(tag && { tag }) }
                                     : { is: "value", tag: tag!, value: sending.value };
  const done = settle({ ...record, heard: record.heard + 1, ...moved(record, tag) }, base);
  const later = theirs?.tag && tag && theirs.tag.epoch === tag.epoch && theirs.tag.offset > tag.offset;
  return later ? merge(done, theirs) : done;
}

/** What is being sent was not applied and never will be. `unsure`: or nobody can say. */
export function refute(record: Stored, op: string, unsure = false): Stored {
  if (record.sending?.op !== op) return record;
  const free = without(record, "sending");
  if (unsure) free.unsure = true;
  return free.theirs ? merge(free, free.theirs) : tidy(free);
}

/** The server refuses the change, for a reason that trying again does not remove. */
export function refuse(record: Stored, op: string, refusal: Refusal): Stored {
  if (record.sending?.op !== op) return record;
  const free = refute(record, op);
  return free.change?.op === op ? { ...free, refused: refusal } : free;
}

/** A refused change may be tried again. */
export function retry(record: Stored): Stored {
  return without(record, "refused");
}

export type Resolution<T = unknown> = "mine" | "theirs" | "delete" | { value: T };

/** A conflict was settled. Nothing happens when it is no longer the one that was judged. */
export function resolve(
  record: Stored, judged: { op: string; theirs: Remote }, how: Resolution, op: string,
): Stored {
  const { change, theirs } = record;
  if (!inConflict(record) || change!.op !== judged.op || !sameRemote(theirs!, judged.theirs)) return record;
  const merged = without(rebased(record, theirs!), "refused");
  if (how === "theirs") return clean(merged);
  if (how === "mine") return tidy(merged);
  return tidy({ ...merged, change: how === "delete" ? { op, deleted: true } : { op, value: how.value } });
}

export function outcomeOf(record: Stored, remote: Remote): Outcome {
  const { base, change } = record;
  return decide({
    ...(base && { etag: base.tag ? writeTag(base.tag) : "deleted" }),
    baseDeleted: base?.is === "deleted",
    held: valueOf(record) !== undefined,
    dirty: change !== undefined,
    remote: remote.is,
    ...(remote.tag && { remoteEtag: writeTag(remote.tag) }),
    equalContent: remote.is === "value" && equal(valueOf(record), remote.value),
  });
}

function merge(record: Stored, remote: Remote): Stored {
  const outcome = outcomeOf(record, remote);
  switch (outcome) {
    case "CONFLICT":
      // Nobody edited here, and giving it back is not allowed: the server's word stands.
      if (record.change?.restored && record.refused) return clean(rebased(record, remote));
      return { ...record, theirs: remote };
    case "NOOP":
      if (remote.is === "deleted") return rebased(record, remote);
      return without(record, "theirs", "unsure");
    case "OK":
    case "DELETE":
      return without(record, "theirs", "unsure");
    case "CREATE":
      return rebased(record, remote);
    case "RESTORE": {
      const op = `restore ${writeTag((record.base as { tag: Position }).tag)}`;
      return { ...rebased(record, remote), change: { op, value: valueOf(record), restored: true } };
    }
    case "ADOPT":
    case "REDOWNLOAD":
    case "DROP":
    case "FORGET":
      return clean(rebased(record, remote));
  }
}

/** What was sent is what the server has. */
function settle(record: Stored, remote: Remote): Stored {
  const mine = record.change?.op === record.sending?.op;
  const settled = without(rebased(record, remote), "sending");
  return mine ? clean(settled) : tidy(settled);
}

function rebased(record: Stored, remote: Remote): Stored {
  const next = without(record, "theirs", "unsure");
  if (remote.is === "nothing") return without(next, "base");
  return { ...next, base: remote };
}

/** A change that changes nothing is none. */
function tidy(record: Stored): Stored {
  const { base, change, sending, theirs } = record;
  if (!change || sending || theirs) return record;
  const none = change.deleted ? base?.is !== "value" : base?.is === "value" && equal(base.value, change.value);
  return none ? clean(record) : record;
}

function clean(record: Stored): Stored {
  return without(record, "change", "refused");
}

function isNews({ seen, past, heard }: Stored, { tag }: Remote, asOf?: number): boolean {
  if (tag && seen && tag.epoch === seen.epoch) return tag.offset > seen.offset;
  // Another life of the log, or no place at all: no order to go by, but that of time.
  if (asOf !== undefined) return asOf === heard;
  return tag !== undefined && !past?.includes(tag.epoch);
}

function moved({ seen, past = [] }: Stored, tag: Position | undefined): Pick<Stored, "seen" | "past"> {
  if (!tag) return {};
  if (!seen) return { seen: tag };
  if (seen.epoch === tag.epoch) return { seen: tag.offset > seen.offset ? tag : seen };
  return { seen: tag, past: [...past.filter((epoch) => epoch !== tag.epoch), seen.epoch].slice(-kPastMax) };
}

export function sameContent(change: Change, remote: Remote): boolean {
  if (change.deleted) return remote.is !== "value";
  return remote.is === "value" && equal(change.value, remote.value);
}

function sameRemote(one: Remote, other: Remote): boolean {
  return one.is === other.is && (sameTag(one.tag, other.tag) || (!one.tag && !other.tag));
}

function without<Name extends keyof Stored>(record: Stored, ...names: Name[]): Stored {
  const copy = { ...record };
  for (const name of names) delete copy[name];
  return copy;
}
