// Brings documents and the server together: sends what was done here, fetches what was done there,
// has conflicts settled. One run a document at a time; each reads the record anew before every step
// and changes it only in atomic steps, so it may stop (or crash) between any two and be begun again
// by anyone.
import { fullJitter } from "../backoff.ts";
import { findApplied, RemoteError, type RemoteStore } from "./remote.ts";
import {
  acknowledge, begin, inConflict, observe, refuse, refute, resolve, type Remote, type Stored,
} from "./record.ts";
import { conflictOf, type Conflict, type Decision, type Resolver } from "./resolvers.ts";
import { Slots } from "./slots.ts";

/** How a run ended. */
export type Rest = "settled" | "conflict" | "refused" | "failed" | "stopped";

export interface PumpOptions {
  update(uri: string, change: (record: Stored) => Stored): Promise<Stored | undefined>;
  read(uri: string): Promise<Stored | undefined>;
  remote: RemoteStore;
  resolverOf(uri: string): Resolver;
  newOp(): string;
  /** False: it is known that nothing can be sent. */
  online(): boolean;
  onConflict(conflict: Conflict): void;
  onResolved(conflict: Conflict, how: Decision): void;
  onError(uri: string, error: RemoteError, retryIn?: number): void;
  random(): number;
  /** Calls `done` in `ms`, until the returned function is called. */
  later(ms: number, done: () => void): () => void;
  requestTimeout: number;
  retryBase: number;
  retryMax: number;
  parallel: number;
}

class Job {
  /** The server may have news that did not reach us. */
  stale = false;
  again = false;
  attempt = 0;
  running?: Promise<Rest>;
  pulling?: AbortController;
  cancelRetry?: () => void;
  /** The conflict that the application was told of, and that the resolver put off. */
  told?: string;
  putOff?: string;
}

export class Pump {
  readonly #options: PumpOptions;
  readonly #jobs = new Map<string, Job>();
  readonly #slots: Slots;
  readonly #stopped = new AbortController();

  constructor(options: PumpOptions) {
    this.#options = options;
    this.#slots = new Slots(options.parallel);
  }

  /** Does what there is to do; with `pull` it also asks the server for news. */
  kick(uri: string, pull = false): Promise<Rest> {
    const job = this.#job(uri);
    job.stale ||= pull;
    job.again = true;
    job.cancelRetry?.();
    return (job.running ??= this.#run(uri, job).finally(() => (job.running = undefined)));
  }

  /** The server told, unasked, what it has: newer than any answer on its way, or ignored. */
  async heard(uri: string, remote: Remote): Promise<void> {
    let news = false;
    await this.#options.update(uri, (record) => {
      const next = observe(record, remote);
      news = next !== record;
      return next;
    });
    if (!news) return;
    this.#job(uri).pulling?.abort();
    await this.kick(uri);
  }

  drop(uri: string): void {
    const job = this.#jobs.get(uri);
    job?.cancelRetry?.();
    job?.pulling?.abort();
    this.#jobs.delete(uri);
  }

  stop(): void {
    this.#stopped.abort();
    for (const job of this.#jobs.values()) job.cancelRetry?.();
  }

  #job(uri: string): Job {
    const job = this.#jobs.get(uri) ?? new Job();
    this.#jobs.set(uri, job);
    return job;
  }

  async #run(uri: string, job: Job): Promise<Rest> {
    let rest: Rest = "stopped";
    while (job.again && !this.#stopped.signal.aborted) {
      job.again = false;
      try {
        rest = await this.#work(uri, job);
        job.attempt = 0;
      } catch (error) {
        rest = "failed";
        this.#failed(uri, job, asRemoteError(error));
      }
    }
    return this.#stopped.signal.aborted ? "stopped" : rest;
  }

  #failed(uri: string, job: Job, error: RemoteError): void {
    if (this.#stopped.signal.aborted) return;
    if (!error.temporary) return this.#options.onError(uri, error);
    const { retryBase: base, retryMax: max, random } = this.#options;
    const retryIn = fullJitter(job.attempt++, { base, max }, random);
    job.cancelRetry?.();
    job.cancelRetry = this.#options.later(retryIn, () => void this.kick(uri));
    this.#options.onError(uri, error, retryIn);
  }

  async #work(uri: string, job: Job): Promise<Rest> {
    while (!this.#stopped.signal.aborted) {
      const record = await this.#options.read(uri);
      if (!record) return "settled";
      if (begin(record).sending) await this.#send(uri, job);
      else if (job.stale) await this.#pull(uri, job, record);
      else if (record.refused) return "refused";
      else if (!inConflict(record)) return "settled";
      else if (!(await this.#judge(uri, job, record))) return "conflict";
    }
    return "stopped";
  }

  async #send(uri: string, job: Job): Promise<void> {
    const { update, remote, onError, online } = this.#options;
    // What was never begun to be sent can still be replaced by what is written next.
    if (!online()) throw new RemoteError("offline", "there is no network", true);
    const marked = await update(uri, begin);
    const { sending, base } = marked ?? {};
    if (!sending) return;
    const wasStale = job.stale;
    job.stale = false;  // the answer will tell what there is, unless it does not come
    try {
      const answer = await this.#ask((signal) =>
        sending.deleted && base?.is === "value" ? remote.remove(uri, base.tag, signal)
        : remote.put(uri, sending.value, base?.is === "value" ? base.tag : "absent", signal));
      if (answer === "changed") return await this.#reconsider(uri, job, sending.op);
      await update(uri, (record) => {
        job.stale ||= record.theirs !== undefined;
        return acknowledge(record, sending.op, answer);
      });
    } catch (error) {
      job.stale ||= wasStale;
      if (!(error instanceof RemoteError) || error.temporary) throw error;
      job.stale = true;
      await update(uri, (record) => refuse(record, sending.op, { code: error.code, message: error.message }));
      onError(uri, error);
    }
  }

  /** The server has something else than we built upon. Perhaps our own change, sent before: an
   *  answer was lost, or this page crashed before it was noted. */
  async #reconsider(uri: string, job: Job, op: string): Promise<void> {
    const { update, read, remote } = this.#options;
    const before = await read(uri);
    const there = await this.#ask((signal) => remote.get(uri, undefined, signal));
    const record = await update(uri, (now) =>
      there === "same" ? now : observe(now, there, before?.heard));
    if (record?.sending?.op !== op) return;
    if (!record.theirs) throw new RemoteError("state_unclear", `${uri} changes while it is read`, true);
    const { base, sending } = record;
    const found = await this.#ask((signal) => findApplied(remote, uri, base, sending, signal));
    await update(uri, (now) => {
      if (typeof found === "string") return refute(now, op, found === "unsure");
      job.stale ||= now.theirs?.tag?.epoch !== found.epoch;
      return acknowledge(now, op, found);
    });
  }

  async #pull(uri: string, job: Job, record: Stored): Promise<void> {
    const { update, remote } = this.#options;
    const superseded = (job.pulling = new AbortController());
    job.stale = false;
    try {
      const known = (record.theirs ?? record.base)?.tag;
      const there = await this.#ask((signal) => remote.get(uri, known, signal), superseded.signal);
      if (there !== "same") await update(uri, (now) => observe(now, there, record.heard));
    } catch (error) {
      if (superseded.signal.aborted) return;
      job.stale = true;
      throw error;
    } finally {
      job.pulling = undefined;
    }
  }

  async #judge(uri: string, job: Job, record: Stored): Promise<boolean> {
    const { update, resolverOf, newOp, onConflict, onResolved } = this.#options;
    const judged = { op: record.change!.op, theirs: record.theirs! };
    const which = JSON.stringify([judged.op, judged.theirs.is, judged.theirs.tag]);
    if (job.putOff === which) return false;
    const conflict = conflictOf(record);
    if (job.told !== which) onConflict(conflict);
    job.told = which;
    const how = await resolverOf(uri)(conflict);
    if (how === "later") job.putOff = which;
    else await update(uri, (now) => resolve(now, judged, how, newOp()));
    if (how !== "later") onResolved(conflict, how);
    return how !== "later";
  }

  #ask<T>(request: (signal: AbortSignal) => Promise<T>, also?: AbortSignal): Promise<T> {
    return this.#slots.with(async () => {
      const call = new AbortController();
      const stop = this.#options.later(this.#options.requestTimeout, () =>
        call.abort(new RemoteError("answer_late", "no answer came in time", true)));
      const givesUp = [this.#stopped.signal, ...(also ? [also] : [])];
      const giveUp = () => call.abort();
      for (const signal of givesUp) signal.aborted ? giveUp() : signal.addEventListener("abort", giveUp);
      try {
        return await request(call.signal);
      } finally {
        stop();
        for (const signal of givesUp) signal.removeEventListener("abort", giveUp);
      }
    });
  }
}

function asRemoteError(error: unknown): RemoteError {
  if (error instanceof RemoteError) return error;
  return new RemoteError("sync_failed", String((error as Error)?.message ?? error), true);
}
