// Replicas of one server over a network that a test holds in its hand: nothing arrives, times out
// or is lost unless it says so. A replica may crash at any moment and begin again over what it
// kept.
import { HttpRemote } from "../../../src/sync/http_remote.ts";
import { alone } from "../../../src/sync/leadership.ts";
import { MemoryStorage } from "../../../src/sync/memory_storage.ts";
import type { Base, Remote } from "../../../src/sync/record.ts";
import { Replica, type ReplicaOptions } from "../../../src/sync/replica.ts";
import type { SyncStorage } from "../../../src/sync/storage.ts";
import type { Sink, Watcher } from "../../../src/sync/watcher.ts";
import type { Position } from "../../../src/types.ts";
import { FakeServer } from "./fake_server.ts";

const kRetryMax = 10;

export interface Flight {
  readonly machine: Machine;
  readonly name: string;
  /** On its way to the server, or back with what it answered. */
  response?: Response;
  reach(): Promise<void>;
  land(): void;
  lose(): void;
}

/** One browser: what it keeps survives its tabs. */
export class Machine {
  readonly storage = new MemoryStorage(() => 0);
  tabs: { replica: Replica; watcher: FakeWatcher }[] = [];
  readonly timers = new Set<{ ms: number; fire(): void }>();
  online = true;
  /** Calls of the storage until everything stops, as at a crash. */
  crashAfter = Infinity;
  readonly world: World;
  readonly #options: Partial<ReplicaOptions>;
  #life = 0;

  constructor(world: World, options: Partial<ReplicaOptions>) {
    this.world = world;
    this.#options = options;
    this.start();
  }

  get replica(): Replica {
    return this.tabs[0]!.replica;
  }

  get watcher(): FakeWatcher {
    return this.tabs[0]!.watcher;
  }

  /** One more tab; each leads, as where two elections went wrong. */
  start(): Replica {
    this.crashAfter = Infinity;
    const life = this.#life;
    const watcher = new FakeWatcher(this);
    const replica = new Replica({
      name: "test", leadership: alone, random: () => 0.5, retryBase: 1, retryMax: kRetryMax,
      storage: this.#mortal(life), watcher, online: () => this.online,
      remote: new HttpRemote("http://server/", { fetch: (input, init) => this.world.send(this, life, input, init) }),
      later: (ms, done) => {
        const timer = { ms, fire: () => void (this.timers.delete(timer), done()) };
        if (this.alive(life)) this.timers.add(timer);
        return () => this.timers.delete(timer);
      },
      ...this.#options,
    });
    this.tabs.push({ replica, watcher });
    return replica;
  }

  alive(life: number): boolean {
    return life === this.#life;
  }

  crash(): void {
    ++this.#life;
    this.timers.clear();
    this.tabs = [];
    this.world.flights = this.world.flights.filter((flight) => flight.machine !== this || !flight.response);
  }

  /** Calls go through while this life lasts; afterwards none ever comes back. */
  #mortal(life: number): SyncStorage {
    const inner = this.storage.open();
    const never = new Promise<never>(() => {});
    const guarded = <Args extends unknown[], T>(call: (...args: Args) => Promise<T>) => async (...args: Args) => {
      if (!this.alive(life)) return never;
      if (this.crashAfter-- === 0) this.crash();
      if (!this.alive(life)) return never;
      const result = await call(...args);
      return this.alive(life) ? result : never;
    };
    return {
      ...inner, uris: guarded(inner.uris), read: guarded(inner.read), update: guarded(inner.update),
      onOthers: (listener) => inner.onOthers((uri) => this.alive(life) && listener(uri)),
    };
  }
}

/** Told in order, while the link stands. After a break: what was missed, or that it is unknown. */
export class FakeWatcher implements Watcher {
  readonly #machine: Machine;
  readonly #watches = new Map<string, { sink: Sink; at: Position | undefined }>();
  readonly #backs = new Set<() => void>();
  queue: (() => void)[] = [];

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  watch(uri: string, since: Position | undefined, sink: Sink): () => void {
    this.#watches.set(uri, { sink, at: since });
    if (this.#machine.online) this.queue.push(() => this.#catchUp(uri));
    return () => void this.#watches.delete(uri);
  }

  onBack(back: () => void): () => void {
    this.#backs.add(back);
    return () => void this.#backs.delete(back);
  }

  broken(): void {
    this.queue = [];
  }

  back(): void {
    for (const uri of this.#watches.keys()) this.queue.push(() => this.#catchUp(uri));
    for (const back of this.#backs) back();
  }

  appended(uri: string, publication: Base): void {
    if (!this.#machine.online || !this.#watches.has(uri)) return;
    this.queue.push(() => this.#deliver(uri, publication));
  }

  reset(uri: string): void {
    if (!this.#machine.online || !this.#watches.has(uri)) return;
    this.queue.push(() => {
      const watch = this.#watches.get(uri);
      if (watch) watch.at = undefined;
      watch?.sink.stale();
    });
  }

  #catchUp(uri: string): void {
    const watch = this.#watches.get(uri);
    if (!watch) return;
    const missed = watch.at && this.#machine.world.server.after(uri, watch.at);
    if (!missed) watch.sink.stale();
    for (const publication of missed ?? []) this.#deliver(uri, publication);
  }

  #deliver(uri: string, publication: Base): void {
    const watch = this.#watches.get(uri);
    if (!watch) return;
    watch.at = publication.tag!;
    watch.sink.heard(structuredClone(publication) as Remote);
  }
}

export class World {
  readonly server = new FakeServer();
  readonly machines: Machine[] = [];
  flights: Flight[] = [];

  constructor() {
    this.server.onAppended = (uri, publication) => {
      for (const { watcher } of this.#tabs()) watcher.appended(uri, publication);
    };
    this.server.onReset = (uri) => {
      for (const { watcher } of this.#tabs()) watcher.reset(uri);
    };
  }

  machine(options: Partial<ReplicaOptions> = {}): Machine {
    const machine = new Machine(this, options);
    this.machines.push(machine);
    return machine;
  }

  send(machine: Machine, life: number, input: unknown, init: RequestInit = {}): Promise<Response> {
    if (!machine.alive(life)) return new Promise(() => {});
    return new Promise((resolve, reject) => {
      const gone = () => (this.flights = this.flights.filter((each) => each !== flight));
      const flight: Flight = {
        machine, name: `${init.method} ${input}`,
        reach: async () => void (flight.response = await this.server.fetch(input, init)),
        land: () => (gone(), machine.alive(life) && resolve(flight.response!)),
        lose: () => (gone(), machine.alive(life) && reject(new TypeError("network down"))),
      };
      if (init.signal?.aborted) return reject(init.signal.reason);
      // What was given up may still reach the server.
      init.signal?.addEventListener("abort", () => reject(init.signal!.reason));
      this.flights.push(flight);
      if (!machine.online) flight.lose();
    });
  }

  offline(machine: Machine): void {
    machine.online = false;
    for (const { watcher } of machine.tabs) watcher.broken();
    for (const flight of this.flights.filter((each) => each.machine === machine)) flight.lose();
  }

  back(machine: Machine): void {
    machine.online = true;
    for (const { watcher } of machine.tabs) watcher.back();
  }

  /** The watchers that have something to tell. */
  told(): FakeWatcher[] {
    return this.#tabs().map(({ watcher }) => watcher).filter(({ queue }) => queue.length > 0);
  }

  #tabs() {
    return this.machines.flatMap(({ tabs }) => tabs);
  }

  /** Everything arrives, in order, until nothing moves any more. */
  async calm(): Promise<void> {
    for (let quiet = 0; quiet < 3;) {
      await turns();
      const flight = this.flights[0];
      const told = this.told()[0];
      const retry = this.machines.flatMap(({ online, timers }) => (online ? [...timers] : [])).find(({ ms }) => ms <= kRetryMax);
      if (flight) {
        if (!flight.response) await flight.reach();
        flight.land();
      } else if (told) {
        told.queue.shift()!();
      } else if (retry) {
        retry.fire();
      } else {
        ++quiet;
        continue;
      }
      quiet = 0;
    }
  }
}

/** Lets everything run that waits for nothing outside. */
export async function turns(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}
