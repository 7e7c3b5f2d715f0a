// What the application holds of one channel. Several may be held of the same channel; the server
// is asked once, and told to stop when the last one is gone.
import { Emitter } from "./emitter.ts";
import { PealError } from "./errors.ts";
import { Presence } from "./presence.ts";
import type { Step } from "./progress.ts";
import { Stream } from "./stream.ts";
import type { Member, Position, Publication, Reset, SubscriptionState } from "./types.ts";

export type SubscriptionEvents<T> = {
  message: Publication<T>;
  state: SubscriptionState;
  /** The past is gone: fetch anew what was built from it; publications go on after `position`. */
  reset: Position;
  /** Who is there, all of them: at the begin, and after every interruption. */
  members: Member[];
  join: Member;
  leave: Member;
};

export class Subscription<T = unknown> extends Emitter<SubscriptionEvents<T>>
  implements AsyncIterable<Publication<T>> {
  readonly channel: string;
  /** Fulfilled when subscribed for the first time, rejected when that is refused for good. */
  readonly ready: Promise<this>;

  #state: SubscriptionState = { name: "subscribing" };
  #resolve!: (self: this) => void;
  #reject!: (error: PealError) => void;
  readonly #streams = new Set<Stream<Publication<T> | Reset>>();
  /** Keeps what comes until the first loop begins or the first listener is there. */
  #early?: Stream<Publication<T> | Reset>;
  readonly #presence: Presence;
  readonly #bufferMax: number;
  readonly #leave: (self: Subscription<any>) => void;

  /** @internal Use `Peal.subscribe`. */
  constructor(channel: string, bufferMax: number, presence: Presence, leave: (self: Subscription<any>) => void) {
    super();
    this.channel = channel;
    this.#presence = presence;
    this.#bufferMax = bufferMax;
    this.#leave = leave;
    this.ready = new Promise<this>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.ready.catch(() => {});  // whoever doesn't wait for it hears by `state`
    this.#early = this.#stream();
  }

  get state(): SubscriptionState {
    return this.#state;
  }

  /** Who is in the channel, where `presence` was asked for: each user once. The server may have told
   *  only the first of them; `users` counts all. */
  get members(): Member[] {
    return this.#presence.members;
  }

  get users(): number {
    return this.#presence.users;
  }

  override on<Name extends keyof SubscriptionEvents<T>>(
    name: Name, listener: (value: SubscriptionEvents<T>[Name]) => void,
  ): () => void {
    if (name === "message") this.#early = void this.#early?.return();
    return super.on(name, listener);
  }

  /** Every publication from here on; the first loop also gets what came before it. Leaving the
   *  loop ends the loop, not the subscription. */
  [Symbol.asyncIterator](): AsyncIterator<Publication<T>> {
    const stream = this.#loop() as unknown as Stream<Publication<T>>;
    stream.wants = (item) => !("reset" in item);
    return stream;
  }

  /** The same, with a `{ reset }` between publications where the past is gone. */
  withResets(): AsyncIterable<Publication<T> | Reset> {
    return { [Symbol.asyncIterator]: () => this.#loop() };
  }

  /** Nothing more is delivered here from now on. */
  unsubscribe(): void {
    if (this.#state.name === "closed") return;
    this.#leave(this);
    this.enter({ name: "closed" });
  }

  /** @internal */
  enter(state: SubscriptionState): void {
    this.#state = state;
    if (state.name === "subscribed") this.#resolve(this);
    if (state.name === "closed") {
      this.#reject(state.error ?? new PealError("client_closed", `"${this.channel}" was given up before it was subscribed`));
      for (const stream of this.#streams) stream.end(state.error);
    }
    this.emit("state", state);
  }

  /** @internal */
  deliver(publication: Publication<T>, step?: Step): void {
    for (const stream of this.#streams) stream.push(publication, step);
    this.emit("message", publication);
  }

  /** @internal */
  reset(position: Position, step?: Step): void {
    for (const stream of this.#streams) stream.push({ channel: this.channel, reset: position }, step);
    this.emit("reset", position);
  }

  #loop(): Stream<Publication<T> | Reset> {
    const stream = this.#early ?? this.#stream();
    this.#early = undefined;
    if (this.#state.name === "closed") stream.end(this.#state.error);
    return stream;
  }

  #stream(): Stream<Publication<T> | Reset> {
    const stream: Stream<Publication<T> | Reset> =
      new Stream(this.#bufferMax, () => void this.#streams.delete(stream));
    this.#streams.add(stream);
    return stream;
  }
}
