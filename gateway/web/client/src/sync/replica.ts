// A full copy of the documents that an application follows: read and written here at once, with or
// without a connection, and kept in step with the server and with every other replica. All tabs of
// an origin share one; the one that leads talks to the server.
import { Emitter } from "../emitter.ts";
import type { Peal } from "../peal.ts";
import { Collection } from "./collection.ts";
import { Document, stateOf, type DocumentState, type Keeper } from "./document.ts";
import { HttpRemote } from "./http_remote.ts";
import { IndexedDbStorage } from "./indexed_db_storage.ts";
import { alone, byLease, byWebLock, type Leadership } from "./leadership.ts";
import { Lead } from "./lead.ts";
import { Pump, type Rest } from "./pump.ts";
import { fresh, inConflict, begin, retry, type Stored } from "./record.ts";
import { RemoteError, type RemoteStore } from "./remote.ts";
import { manual, type Conflict, type Decision, type Resolver } from "./resolvers.ts";
import type { SyncStorage } from "./storage.ts";
import { PealWatcher, type Watcher } from "./watcher.ts";

export interface ReplicaOptions {
  /** Names the copy: replicas of one name and origin are one. */
  name: string;
  /** An address of the gateway, "https://host/"; in a page, the page's own unless given. */
  url?: string | URL;
  /** Sent as a bearer token. */
  token?: string | (() => string | Promise<string>);
  /** Follows the documents live; without it they are only asked for every `pollEvery` ms. */
  peal?: Peal;
  /** How conflicts are settled (`manual`: kept until the application decides). */
  resolve?: Resolver;
  /** For documents that can't be followed live (30,000). */
  pollEvery?: number;
  /** Deadline for an answer, and for the waits between attempts, in ms (15,000; 500; 30,000). */
  requestTimeout?: number;
  retryBase?: number;
  retryMax?: number;
  /** Documents that are sent or fetched at once (6). */
  parallel?: number;
  /** The parts, where others are wanted: IndexedDB, HTTP, `peal`, and Web Locks or a lease. */
  storage?: SyncStorage;
  remote?: RemoteStore;
  watcher?: Watcher;
  leadership?: Leadership;
  online?: () => boolean;
  random?: () => number;
  later?: (ms: number, done: () => void) => () => void;
}

export type ReplicaEvents = {
  change: { uri: string; state: DocumentState<unknown> };
  /** Both sides changed a document; it is being settled. Told by the tab that leads. */
  conflict: Conflict;
  resolved: { conflict: Conflict; how: Decision };
  /** What failed. With `retryIn` it is tried again by itself. */
  error: { uri: string; error: RemoteError; retryIn?: number };
  /** Whether this tab is the one that talks to the server. */
  leading: boolean;
};

export type SyncResult = Record<Rest, string[]>;

export class Replica extends Emitter<ReplicaEvents> {
  /** Fulfilled when what is kept of earlier sessions has been read. */
  readonly ready: Promise<this>;
  readonly #options: ReplicaOptions;
  readonly #storage: SyncStorage;
  readonly #remote: RemoteStore;
  readonly #watcher: Watcher | undefined;
  readonly #leadership: Leadership;
  readonly #documents = new Map<string, Document<any>>();
  readonly #resolvers = new Map<string, Resolver>();
  readonly #keeper: Keeper;
  readonly #later: NonNullable<ReplicaOptions["later"]>;
  #lead?: Lead;
  #resign?: () => void;
  #closed = false;

  constructor(options: ReplicaOptions) {
    super();
    this.#options = options;
    const url = options.url ?? (globalThis as { location?: { href: string } }).location?.href ?? "";
    this.#storage = options.storage ?? new IndexedDbStorage(options.name);
    this.#remote = options.remote ?? new HttpRemote(url, options.token === undefined ? {} : { token: options.token });
    this.#watcher = options.watcher ?? (options.peal && new PealWatcher(options.peal));
    this.#leadership = options.leadership ?? this.#usualLeadership();
    this.#later = options.later ?? ((ms, done) => {
      const timer = setTimeout(done, ms);
      return () => clearTimeout(timer);
    });
    this.#keeper = {
      update: (uri, change) => this.#update(uri, (stored) => change(stored ?? fresh(uri))),
      push: (uri) => this.#lead?.kick(uri),
      newOp,
    };
    this.#storage.onOthers((uri) => void this.#refresh(uri).catch(() => {}));
    this.ready = this.#begin();
    this.ready.catch(() => {});
  }

  /** The document of that address, from now on followed and kept. */
  document<T = unknown>(uri: string): Document<T> {
    const held = this.#documents.get(uri);
    if (held) return held;
    const document = new Document<T>(uri, this.#keeper);
    this.#documents.set(uri, document);
    void this.#update(uri, (stored) => stored ?? fresh(uri))
      .then((record) => record && this.#lead?.follow(record))
      .catch((error) => this.#storageFailed(uri, error));
    return document;
  }

  /** The documents that are named in the document of this address. */
  collection<T = unknown>(indexUri: string): Collection<T> {
    return new Collection<T>(this, indexUri);
  }

  /** The addresses of all documents that are kept. */
  uris(): Promise<string[]> {
    return this.#storage.uris();
  }

  /** What is here of it is thrown away, and it is no longer followed; the server keeps its own.
   *  False where something is here that the server does not know, unless `even` that may go. */
  async forget(uri: string, even: "unsaved" | "clean" = "clean"): Promise<boolean> {
    let gone = false;
    await this.#storage.update(uri, (stored) => {
      gone = !stored?.change || even === "unsaved";
      return gone ? undefined : stored;
    });
    if (gone) this.#release(uri);
    return gone;
  }

  /** Conflicts of this document are settled so, whatever the others do. */
  resolveWith(uri: string, resolver: Resolver): void {
    this.#resolvers.set(uri, resolver);
  }

  /** Sends and fetches everything now, also when paused, and says how it ended. Changes that the
   *  server refused are tried once more. */
  async sync(): Promise<SyncResult> {
    await this.ready;
    const pump = this.#lead?.pump ?? this.#makePump();
    const result: SyncResult = { settled: [], conflict: [], refused: [], failed: [], stopped: [] };
    await Promise.all((await this.#storage.uris()).map(async (uri) => {
      await this.#update(uri, (stored) => (stored?.refused ? retry(stored) : stored));
      result[await pump.kick(uri, true)].push(uri);
    }));
    if (pump !== this.#lead?.pump) pump.stop();
    return result;
  }

  get leading(): boolean {
    return this.#lead !== undefined;
  }

  get paused(): boolean {
    return this.#resign === undefined;
  }

  /** Works on its own from here on; another tab of the same replica may lead meanwhile. */
  pause(): void {
    this.#resign?.();
    this.#resign = undefined;
    this.#giveUp();
  }

  resume(): void {
    if (this.#closed) return;
    const lead = () => void this.#take().catch((error) => this.#storageFailed("", error));
    this.#resign ??= this.#leadership.campaign(lead, () => this.#giveUp());
  }

  /** For good. What was written here stays kept. */
  close(): void {
    this.pause();
    this.#closed = true;
    this.#storage.close();
  }

  async #begin(): Promise<this> {
    for (const uri of await this.#storage.uris()) {
      const record = await this.#storage.read(uri);
      if (record) this.#show(record);
    }
    this.resume();
    return this;
  }

  async #take(): Promise<void> {
    if (this.#closed || this.#lead) return;
    const lead = (this.#lead = new Lead({
      pump: this.#makePump(), watcher: this.#watcher, later: this.#later,
      pollEvery: this.#options.pollEvery ?? 30_000,
      onError: (uri, error) => this.#storageFailed(uri, error),
    }));
    this.emit("leading", true);
    for (const uri of await this.#storage.uris()) {
      const record = await this.#storage.read(uri);
      if (record) lead.follow(record);
    }
  }

  #giveUp(): void {
    if (!this.#lead) return;
    this.#lead.stop();
    this.#lead = undefined;
    this.emit("leading", false);
  }

  #release(uri: string): void {
    this.#documents.delete(uri);
    this.#lead?.release(uri);
  }

  /** Another tab has changed it. */
  async #refresh(uri: string): Promise<void> {
    const record = await this.#storage.read(uri);
    if (!record) return this.#release(uri);
    this.#show(record);
    this.#lead?.follow(record);
    if (begin(record).sending || inConflict(record)) this.#lead?.kick(uri);
  }

  async #update(
    uri: string, change: (stored: Stored | undefined) => Stored | undefined,
  ): Promise<Stored | undefined> {
    const record = await this.#storage.update(uri, change);
    if (record) this.#show(record);
    return record;
  }

  #show(record: Stored): void {
    if (this.#closed) return;
    this.#documents.get(record.uri)?.show(record);
    this.emit("change", { uri: record.uri, state: stateOf(record) });
  }

  #makePump(): Pump {
    const { resolve = manual, random = Math.random, online = browserIsOnline } = this.#options;
    const { requestTimeout = 15_000, retryBase = 500, retryMax = 30_000, parallel = 6 } = this.#options;
    return new Pump({
      update: (uri, change) => this.#update(uri, (stored) => stored && change(stored)),
      read: (uri) => this.#storage.read(uri),
      remote: this.#remote,
      resolverOf: (uri) => this.#resolvers.get(uri) ?? resolve,
      newOp, random, online, later: this.#later, requestTimeout, retryBase, retryMax, parallel,
      onConflict: (conflict) => this.emit("conflict", conflict),
      onResolved: (conflict, how) => this.emit("resolved", { conflict, how }),
      onError: (uri, error, retryIn) =>
        this.emit("error", { uri, error, ...(retryIn !== undefined && { retryIn }) }),
    });
  }

  #usualLeadership(): Leadership {
    const locks = (globalThis as { navigator?: { locks?: LockManager } }).navigator?.locks;
    if (this.#options.storage) return alone;
    return locks ? byWebLock(this.#options.name, locks) : byLease(this.#storage, newOp());
  }

  #storageFailed(uri: string, error: unknown): void {
    if (this.#closed) return;
    const message = `the copy in this browser can't be used: ${(error as Error).message}`;
    this.emit("error", { uri, error: new RemoteError("storage_failed", message, false) });
  }
}

function browserIsOnline(): boolean {
  return (globalThis as { navigator?: { onLine?: boolean } }).navigator?.onLine !== false;
}

/** An id that nobody else makes; also where the page is not in a secure context. */
function newOp(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
