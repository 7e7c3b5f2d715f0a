// Where a replica keeps its records: surviving the page, and shared by all tabs of an origin.
import type { Stored } from "./record.ts";

export interface SyncStorage {
  uris(): Promise<string[]>;
  read(uri: string): Promise<Stored | undefined>;
  /** One atomic step, also against other tabs: `change` gets what is there and gives what shall be
   *  (the same object: nothing is written; undefined: it is removed). It must not wait. Fulfilled
   *  when what was written will survive a crash of the page. */
  update(uri: string, change: (stored: Stored | undefined) => Stored | undefined): Promise<Stored | undefined>;
  /** Calls `listener` when another holder of the same records has changed one. */
  onOthers(listener: (uri: string) => void): void;
  /** Takes or renews the lease for `ms` if nobody else holds it; false when somebody does. */
  lease(owner: string, ms: number): Promise<boolean>;
  release(owner: string): Promise<void>;
  close(): void;
}

/** The step that a storage takes: counts the versions. */
export function step(
  stored: Stored | undefined, change: (stored: Stored | undefined) => Stored | undefined,
): { next: Stored | undefined; write: boolean } {
  const next = change(stored);
  if (next === stored || !next) return { next, write: next !== stored };
  return { next: { ...next, version: (stored?.version ?? 0) + 1 }, write: true };
}
