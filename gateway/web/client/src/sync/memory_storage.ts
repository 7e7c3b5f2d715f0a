// Records in memory, for tests and for programs that only want to be up to date. `open` gives one
// holder's view; several holders of one MemoryStorage are what tabs of one origin are.
import type { Stored } from "./record.ts";
import { step, type SyncStorage } from "./storage.ts";

export class MemoryStorage {
  /** As text, so that nobody holds what another changes. */
  readonly #records = new Map<string, string>();
  readonly #holders = new Map<SyncStorage, ((uri: string) => void) | undefined>();
  readonly #now: () => number;
  #lease: { owner: string; until: number } | undefined;

  constructor(now = () => Date.now()) {
    this.#now = now;
  }

  open(): SyncStorage {
    const read = (uri: string): Stored | undefined => {
      const text = this.#records.get(uri);
      return text === undefined ? undefined : JSON.parse(text);
    };
    const holder: SyncStorage = {
      uris: async () => [...this.#records.keys()],
      read: async (uri) => read(uri),
      update: async (uri, change) => {
        const { next, write } = step(read(uri), change);
        if (!write) return next;
        if (next) this.#records.set(uri, JSON.stringify(next));
        else this.#records.delete(uri);
        for (const [other, told] of this.#holders) if (other !== holder) told?.(uri);
        return next;
      },
      onOthers: (listener) => void this.#holders.set(holder, listener),
      lease: async (owner, ms) => {
        if (this.#lease && this.#lease.owner !== owner && this.#lease.until > this.#now()) return false;
        this.#lease = { owner, until: this.#now() + ms };
        return true;
      },
      release: async (owner) => {
        if (this.#lease?.owner === owner) this.#lease = undefined;
      },
      close: () => void this.#holders.delete(holder),
    };
    this.#holders.set(holder, undefined);
    return holder;
  }
}
