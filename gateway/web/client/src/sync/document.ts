// One document as an application holds it: its value, whether the server knows of it, and what is
// to be decided. It changes by itself when it changes anywhere.
import { Emitter } from "../emitter.ts";
import type { Position } from "../types.ts";
import { edit, inConflict, resolve, retry, valueOf, type Refusal, type Resolution, type Stored } from "./record.ts";
import { conflictOf, type Conflict } from "./resolvers.ts";

export interface DocumentState<T> {
  /** Undefined: there is none, or it is not known yet. */
  value: T | undefined;
  /** loading: nothing was heard of it yet · missing: there is none · synced: as the server has it ·
   *  pending: changed here, kept over a reload, not acknowledged yet · conflict: changed on both
   *  sides · refused: the server will not have the change. */
  status: "loading" | "missing" | "synced" | "pending" | "conflict" | "refused";
  conflict?: Conflict<T>;
  refusal?: Refusal;
  /** The place of the server's last value in its log. */
  position?: Position;
}

export type DocumentEvents<T> = { change: DocumentState<T> };

/** What a document needs of its replica. */
export interface Keeper {
  update(uri: string, change: (record: Stored) => Stored): Promise<Stored | undefined>;
  push(uri: string): void;
  newOp(): string;
}

export class Document<T = unknown> extends Emitter<DocumentEvents<T>> {
  readonly uri: string;
  #state: DocumentState<T> = { value: undefined, status: "loading" };
  #record?: Stored;
  readonly #keeper: Keeper;

  /** @internal Use `replica.document`. */
  constructor(uri: string, keeper: Keeper) {
    super();
    this.uri = uri;
    this.#keeper = keeper;
  }

  get state(): DocumentState<T> {
    return this.#state;
  }

  get value(): T | undefined {
    return this.#state.value;
  }

  /** Fulfilled when the value is safely kept here. The server is told as soon as it can be. */
  set(value: T): Promise<void> {
    if (value === undefined) throw new TypeError("a value must be JSON; use delete()");
    return this.#edit(() => value);
  }

  /** `change` gets the value as it is, also when another tab has just changed it, and must not
   *  wait. With undefined it deletes the document. */
  update(change: (value: T | undefined) => T | undefined): Promise<void> {
    return this.#edit(change);
  }

  delete(): Promise<void> {
    return this.#edit(() => undefined);
  }

  /** Settles a conflict: `seen` is the one that was judged. False when it is no longer that one. */
  async resolve(how: Resolution<T>, seen = this.#state.conflict): Promise<boolean> {
    if (!seen) return false;
    const judged = judgedBy.get(seen);
    if (!judged) return false;
    let done = false;
    await this.#keeper.update(this.uri, (record) => {
      const next = resolve(record, judged, how, this.#keeper.newOp());
      done = next !== record;
      return next;
    });
    if (done) this.#keeper.push(this.uri);
    return done;
  }

  /** Sends a refused change once more. */
  async retry(): Promise<void> {
    await this.#keeper.update(this.uri, (record) => (record.refused ? retry(record) : record));
    this.#keeper.push(this.uri);
  }

  /** Waits until nothing is on its way: synced, missing, or until somebody has to decide. */
  async settled(): Promise<DocumentState<T>> {
    while (this.#state.status === "loading" || this.#state.status === "pending") {
      await new Promise<void>((resolve) => {
        const stop = this.on("change", () => (stop(), resolve()));
      });
    }
    return this.#state;
  }

  /** @internal The record as it is now; older ones than that shown are passed over. */
  show(record: Stored): void {
    if (this.#record && record.version <= this.#record.version) return;
    this.#record = record;
    this.#state = stateOf<T>(record);
    this.emit("change", this.#state);
  }

  async #edit(change: (value: T | undefined) => T | undefined): Promise<void> {
    await this.#keeper.update(this.uri, (record) =>
      edit(record, change(valueOf(record) as T | undefined), this.#keeper.newOp()));
    this.#keeper.push(this.uri);
  }
}

const judgedBy = new WeakMap<object, { op: string; theirs: NonNullable<Stored["theirs"]> }>();

export function stateOf<T>(record: Stored): DocumentState<T> {
  const position = record.base?.tag;
  const value = valueOf(record) as T | undefined;
  const state: DocumentState<T> = { value, status: "synced", ...(position && { position }) };
  if (inConflict(record)) {
    state.status = "conflict";
    state.conflict = conflictOf(record) as Conflict<T>;
    judgedBy.set(state.conflict, { op: record.change!.op, theirs: record.theirs! });
  } else if (record.refused) {
    state.status = "refused";
    state.refusal = record.refused;
  } else if (record.change) {
    state.status = "pending";
  } else if (value === undefined) {
    state.status = record.heard > 0 ? "missing" : "loading";
  }
  return state;
}
