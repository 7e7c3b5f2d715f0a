// Which of several tabs talks to the server. It is an economy, not a safety device: records change
// in atomic steps and the server is only written to on conditions, so two that lead at once do
// nothing wrong, only twice.
import type { SyncStorage } from "./storage.ts";

export interface Leadership {
  /** Calls `lead` when this one is the leader, and `follow` if it ceases to be; until the returned
   *  function is called, which resigns. */
  campaign(lead: () => void, follow: () => void): () => void;
}

/** Leads at once. */
export const alone: Leadership = {
  campaign(lead) {
    lead();
    return () => {};
  },
};

/** The browser's own locks: the next tab leads in the moment the leader is gone. */
export function byWebLock(name: string, locks: LockManager): Leadership {
  return {
    campaign(lead) {
      const ended = new AbortController();
      let resign = () => {};
      locks.request(`peal-sync:${name}`, { signal: ended.signal }, () => {
        if (ended.signal.aborted) return;
        lead();
        return new Promise<void>((resolve) => (resign = resolve));
      }).catch(() => {});  // gave up before it was its turn
      return () => {
        ended.abort();
        resign();
      };
    },
  };
}

/** A lease in the storage, renewed in time: where the browser gives no locks (plain HTTP). After a
 *  leader is gone it takes up to `ms` until the next one leads. */
export function byLease(storage: SyncStorage, owner: string, ms = 3000): Leadership {
  return {
    campaign(lead, follow) {
      let leading = false;
      let ended = false;
      const tick = async () => {
        const mine = await storage.lease(owner, ms).catch(() => false);
        if (ended) return void storage.release(owner).catch(() => {});
        if (mine !== leading) (leading = mine) ? lead() : follow();
      };
      void tick();
      const timer = setInterval(() => void tick(), ms / 3);
      return () => {
        ended = true;
        clearInterval(timer);
        void storage.release(owner).catch(() => {});
      };
    },
  };
}
