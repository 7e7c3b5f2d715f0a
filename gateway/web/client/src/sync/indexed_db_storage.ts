// Records in IndexedDB, one database a replica, shared by all tabs of an origin. A step is one
// transaction, so tabs can't trample each other; they tell each other over a BroadcastChannel.
import type { Stored } from "./record.ts";
import { step, type SyncStorage } from "./storage.ts";

const kRecords = "records";
const kLease = "lease";

export class IndexedDbStorage implements SyncStorage {
  readonly #name: string;
  readonly #others?: BroadcastChannel;
  #database?: Promise<IDBDatabase>;
  #closed = false;

  constructor(name: string) {
    this.#name = `peal-sync:${name}`;
    if (typeof BroadcastChannel !== "undefined") this.#others = new BroadcastChannel(this.#name);
  }

  async uris(): Promise<string[]> {
    return this.#run(kRecords, "readonly", (store) => store.getAllKeys() as IDBRequest<any>);
  }

  async read(uri: string): Promise<Stored | undefined> {
    return this.#run(kRecords, "readonly", (store) => store.get(uri));
  }

  async update(
    uri: string, change: (stored: Stored | undefined) => Stored | undefined,
  ): Promise<Stored | undefined> {
    let written = false;
    const next = await this.#step<Stored | undefined>(kRecords, uri, (stored, store) => {
      const { next, write } = step(stored as Stored | undefined, change);
      written = write;
      if (write) void (next ? store.put(next, uri) : store.delete(uri));
      return next;
    });
    if (written) this.#others?.postMessage(uri);
    return next;
  }

  onOthers(listener: (uri: string) => void): void {
    if (this.#others) this.#others.onmessage = ({ data }) => listener(String(data));
  }

  async lease(owner: string, ms: number): Promise<boolean> {
    return this.#step(kLease, kLease, (held: any, store) => {
      // A lease from the future is one from before the clock was set back.
      if (held && held.owner !== owner && held.until > Date.now() && held.until <= Date.now() + ms) return false;
      store.put({ owner, until: Date.now() + ms }, kLease);
      return true;
    });
  }

  async release(owner: string): Promise<void> {
    await this.#step(kLease, kLease, (held: any, store) => {
      if (held?.owner === owner) store.delete(kLease);
    });
  }

  close(): void {
    this.#closed = true;
    this.#others?.close();
    void this.#database?.then((database) => database.close(), () => {});
  }

  #open(): Promise<IDBDatabase> {
    if (this.#closed) return Promise.reject(new DOMException("the storage is closed", "InvalidStateError"));
    return (this.#database ??= new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(this.#name, 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore(kRecords);
        request.result.createObjectStore(kLease);
      };
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        const database = request.result;
        // Somebody deletes the database, or the browser gave it up: open it anew when needed.
        database.onversionchange = () => database.close();
        database.onclose = () => (this.#database = undefined);
        resolve(database);
      };
    }));
  }

  async #run<T>(
    name: string, mode: IDBTransactionMode, ask: (store: IDBObjectStore) => IDBRequest<T>,
  ): Promise<T> {
    const database = await this.#open();
    return new Promise<T>((resolve, reject) => {
      const request = ask(database.transaction(name, mode).objectStore(name));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  }

  /** Reads one entry and writes in the same transaction; fulfilled when that is complete. */
  async #step<T>(
    name: string, key: string, change: (entry: unknown, store: IDBObjectStore) => T,
  ): Promise<T> {
    const database = await this.#open();
    return new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(name, "readwrite", { durability: "strict" });
      const store = transaction.objectStore(name);
      const request = store.get(key);
      let result: T;
      let failure: unknown;
      request.onsuccess = () => {
        try {
          result = change(request.result, store);
        } catch (error) {
          failure = error;
          transaction.abort();
        }
      };
      transaction.oncomplete = () => resolve(result);
      transaction.onabort = () => reject(failure ?? transaction.error);
    });
  }
}
