// What is to be done about one document, from what the replica holds and what the server has. The
// whole of the synchronisation's judgement is this one table; it has no side effects and no memory.

export type Outcome =
  /** Both sides agree, or there is nothing on either. */
  | "NOOP"
  /** Clean here, other on the server: take the server's. */
  | "REDOWNLOAD"
  /** Written here, nothing on the server: PUT with If-None-Match: *. */
  | "CREATE"
  /** Written here, the server unchanged since: PUT with If-Match. */
  | "OK"
  /** Deleted here, the server unchanged since: DELETE with If-Match. */
  | "DELETE"
  /** Changed on both sides: somebody has to decide. */
  | "CONFLICT"
  /** The same content under another tag: take the tag, nothing else. */
  | "ADOPT"
  /** Clean here, deleted on the server: delete it here. */
  | "DROP"
  /** Deleted here, and on the server there is none either: done. */
  | "FORGET"
  /** Clean here, and the server has lost it (not deleted: lost): give it back to the server. */
  | "RESTORE";

export interface Situation {
  /** The tag of what was last taken from the server; undefined when nothing ever was. */
  etag?: string;
  /** What was taken was a deletion. */
  baseDeleted?: boolean;
  /** Whether there is a value here. */
  held: boolean;
  /** Whether something was done here (written, or with `held` false: deleted) that is not there. */
  dirty: boolean;
  /** `deleted`: somebody deleted it (410). `nothing`: it never was, or the server forgot it (404). */
  remote: "value" | "deleted" | "nothing";
  remoteEtag?: string;
  /** Both have a value, and the values are equal. */
  equalContent?: boolean;
}

export function decide(situation: Situation): Outcome {
  if (situation.remote === "value") return againstValue(situation);
  return situation.remote === "deleted" ? againstDeletion(situation) : againstNothing(situation);
}

function againstValue({ etag, baseDeleted, held, dirty, remoteEtag, equalContent }: Situation): Outcome {
  const unchanged = etag !== undefined && etag === remoteEtag;
  if (held && dirty) {
    if (equalContent) return "ADOPT";
    return unchanged ? "OK" : "CONFLICT";
  }
  if (held) {
    if (unchanged) return "NOOP";
    return equalContent ? "ADOPT" : "REDOWNLOAD";
  }
  // Nothing here. What was written and deleted again without the server hearing of it was never
  // more than a draft: a deletion counts only where something was taken before.
  if (!dirty || etag === undefined || baseDeleted) return "REDOWNLOAD";
  return unchanged ? "DELETE" : "CONFLICT";
}

function againstDeletion({ etag, baseDeleted, held, dirty }: Situation): Outcome {
  if (held && dirty) return etag === undefined || baseDeleted ? "CREATE" : "CONFLICT";
  if (held) return "DROP";
  return dirty ? "FORGET" : "NOOP";
}

function againstNothing({ held, dirty }: Situation): Outcome {
  if (held) return dirty ? "CREATE" : "RESTORE";
  return dirty ? "FORGET" : "NOOP";
}
