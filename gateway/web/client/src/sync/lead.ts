// What a replica does while its tab is the one that talks to the server: it follows every document
// live, asks again for those that it can't follow, and gives the pump its work.
import type { Position } from "../types.ts";
import type { Pump } from "./pump.ts";
import type { Stored } from "./record.ts";
import type { Watcher } from "./watcher.ts";

export interface LeadOptions {
  pump: Pump;
  watcher: Watcher | undefined;
  /** What can't be followed live is asked for this often, in ms. */
  pollEvery: number;
  later(ms: number, done: () => void): () => void;
  onError(uri: string, error: unknown): void;
}

export class Lead {
  readonly #options: LeadOptions;
  readonly #watches = new Map<string, { live: boolean; stop(): void }>();
  readonly #undo: (() => void)[] = [];
  #stopPoll = () => {};
  #stopped = false;

  constructor(options: LeadOptions) {
    this.#options = options;
    const online = () => this.#kickAll(true);
    globalThis.addEventListener?.("online", online);
    this.#undo.push(() => globalThis.removeEventListener?.("online", online));
    // Whoever missed something is told so; what waits to be sent need not wait any longer.
    const back = options.watcher?.onBack(() => this.#kickAll(false));
    if (back) this.#undo.push(back);
    this.#poll();
  }

  /** Hears of it live from now on, and brings it up to date. Harmless when it does already. */
  follow(record: Stored): void {
    const { uri } = record;
    if (this.#stopped || this.#watches.has(uri)) return;
    const watch = { live: this.#options.watcher !== undefined, stop: () => {} };
    this.#watches.set(uri, watch);
    const stop = this.#watch(uri, (record.theirs ?? record.base)?.tag, watch);
    if (stop) watch.stop = stop;
    this.kick(uri, true);
  }

  release(uri: string): void {
    this.#watches.get(uri)?.stop();
    this.#watches.delete(uri);
    this.#options.pump.drop(uri);
  }

  kick(uri: string, pull = false): void {
    void this.#options.pump.kick(uri, pull);
  }

  get pump(): Pump {
    return this.#options.pump;
  }

  stop(): void {
    this.#stopped = true;
    this.#options.pump.stop();
    this.#stopPoll();
    for (const undo of this.#undo) undo();
    for (const { stop } of this.#watches.values()) stop();
  }

  #watch(uri: string, since: Position | undefined, watch: { live: boolean }): (() => void) | undefined {
    const { watcher, pump, onError } = this.#options;
    return watcher?.watch(uri, since, {
      heard: (remote) => void pump.heard(uri, remote).catch((error) => onError(uri, error)),
      stale: () => this.kick(uri, true),
      failed: () => (watch.live = false),
    });
  }

  #poll(): void {
    this.#stopPoll = this.#options.later(this.#options.pollEvery, () => {
      for (const [uri, { live }] of this.#watches) if (!live) this.kick(uri, true);
      this.#poll();
    });
  }

  #kickAll(pull: boolean): void {
    for (const uri of this.#watches.keys()) this.kick(uri, pull);
  }
}
