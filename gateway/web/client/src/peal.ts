// The client: one connection to any gateway, made at once, kept, and made again when it is lost.
// Several clients may live in one page.
import { Driver, type Upward } from "./driver.ts";
import { Emitter } from "./emitter.ts";
import { PealError } from "./errors.ts";
import { Presence } from "./presence.ts";
import { Progress } from "./progress.ts";
import { Subscription } from "./subscription.ts";
import type {
  ConnectionState, History, HistoryOptions, PealOptions, PositionStore, PresencePage, Publication, Published,
  PublishedEach, PublishOptions, SubscribeOptions, SubscriptionState,
} from "./types.ts";
import { encodePublish, errorOf } from "./wire.ts";

export type PealEvents = {
  state: ConnectionState;
  /** An error that belongs to no promise and no subscription. */
  error: PealError;
};

interface Call {
  resolve(result: any): void;
  reject(error: PealError): void;
}

/** One channel that is subscribed, and everything that is held of it. */
interface Held {
  handles: Set<Subscription<any>>;
  state: SubscriptionState;
  presence: Presence;
  /** Where positions are stored. */
  progress?: Progress;
}

export class Peal extends Emitter<PealEvents> {
  #state: ConnectionState = { name: "connecting", attempt: 1 };
  #lastTicket = 0;
  readonly #calls = new Map<number, Call>();
  readonly #channels = new Map<string, Held>();
  readonly #positions?: PositionStore;
  readonly #driver: Driver;

  /** `url` is the gateway's WebSocket address; in a page it may be relative: `/ws`. */
  constructor(url: string | URL, options: PealOptions = {}) {
    super();
    this.#positions = options.positions;
    this.#driver = new Driver(absolute(url), options, (action) => this.#done(action));
    this.#driver.handle({ on: "start" });
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Subscribes, now and after every interruption, until the subscription is given up. Where positions
   *  are stored, and `since` isn't given, it goes on from the stored one. */
  subscribe<T = unknown>(channel: string, options: SubscribeOptions = {}): Subscription<T> {
    if (this.#state.name === "closed") throw closed();
    const { bufferMax = 1000, ...wish } = options;
    const held = this.#channels.get(channel);
    if (held && Object.values(wish).some((value) => value !== undefined)) {
      throw new PealError("option_invalid", `"${channel}" is subscribed already, only bufferMax has an effect`);
    }
    const { presence } = held ?? { presence: new Presence() };
    const handle = new Subscription<T>(channel, bufferMax, presence, (handle) => this.#left(handle));
    if (held) {
      held.handles.add(handle);
      handle.enter(held.state);
    } else {
      wish.since ??= this.#positions?.get(channel);
      const handles = new Set([handle]);
      const progress = this.#positions && new Progress((position) => {
        if (handles.size > 0) this.#positions!.set(channel, position);
      });
      this.#channels.set(channel, { handles, state: handle.state, presence, progress });
      this.#driver.handle({ on: "subscribe", channel, wish });
    }
    return handle;
  }

  /** Fulfilled when the server has taken it. Waits for the connection if there is none; once sent
   *  it is never sent again: `publish_outcome_unknown` when the link is lost meanwhile. */
  publish(channel: string, message: unknown, options?: PublishOptions): Promise<Published>;
  publish(channels: string[], message: unknown, options?: PublishOptions): Promise<PublishedEach[]>;
  async publish(
    target: string | string[], message: unknown, { signal, ...options }: PublishOptions = {},
  ): Promise<Published | PublishedEach[]> {
    const where = Array.isArray(target) ? { channels: target } : { channel: target };
    const result = await this.#call("publish", encodePublish(where, message, options), true, signal);
    if (!Array.isArray(result)) return result;
    return result.map((each) => (each.error ? { error: errorOf(each.error) } : each));
  }

  /** A stretch of a recoverable channel's log: after `since`, or the latest (`reverse`). Waits for the
   *  connection; refused with `position_lost` when the log no longer covers it. */
  async history<T = unknown>(channel: string, options: HistoryOptions = {}): Promise<History<T>> {
    const result = await this.#call("history", JSON.stringify({ channel, ...options }), true);
    const { epoch, offset } = result;
    const publications = result.publications.map(({ offset, ...rest }: any): Publication<T> =>
      ({ ...rest, channel, position: { epoch, offset } }));
    return { epoch, offset, publications };
  }

  /** Who is in a channel: the first of them, and how many. `limit` 0 only counts. */
  presence(channel: string, options: { limit?: number; after?: string } = {}): Promise<PresencePage> {
    return this.#call("presence", JSON.stringify({ channel, ...options }), true);
  }

  /** The round trip to the gateway, in ms. Refused with `not_connected` when there is none. */
  async ping(): Promise<number> {
    const begin = performance.now();
    await this.#call("ping", "{}", false);
    return performance.now() - begin;
  }

  /** For good: what waits is refused, subscriptions end. */
  close(): void {
    this.#driver.handle({ on: "stop" });
  }

  #call(action: string, payload: string, waits: boolean, signal?: AbortSignal): Promise<any> {
    const ticket = ++this.#lastTicket;
    return new Promise((resolve, reject) => {
      const abandon = () => this.#driver.handle({ on: "abandon", ticket });
      const done = () => signal?.removeEventListener("abort", abandon);
      this.#calls.set(ticket, {
        resolve: (result) => (done(), resolve(result)),
        reject: (error) => (done(), reject(error)),
      });
      if (signal?.aborted) {
        this.#done({ do: "settle", ticket, error: new PealError("aborted", "aborted before it was sent") });
        return;
      }
      signal?.addEventListener("abort", abandon);
      this.#driver.handle({ on: "call", ticket, action, payload, waits });
    });
  }

  #left(handle: Subscription<any>): void {
    const held = this.#channels.get(handle.channel);
    if (!held?.handles.delete(handle) || held.handles.size > 0) return;
    this.#channels.delete(handle.channel);
    this.#positions?.delete(handle.channel);
    this.#driver.handle({ on: "unsubscribe", channel: handle.channel });
  }

  #done(action: Upward): void {
    switch (action.do) {
      case "state":
        this.#state = action.state;
        return this.emit("state", action.state);
      case "settle": {
        const call = this.#calls.get(action.ticket);
        this.#calls.delete(action.ticket);
        return action.error ? call?.reject(action.error) : call?.resolve(action.result);
      }
      case "report":
        return this.emit("error", action.error);
    }
    const held = this.#channels.get(action.channel);
    if (held) this.#tell(held, action);
  }

  #tell(held: Held, action: Exclude<Upward, { do: "state" | "settle" | "report" }>): void {
    if (action.do === "channel") {
      held.state = action.state;
      if (action.state.name === "closed") this.#channels.delete(action.channel);
    } else if (action.do === "presence") {
      held.presence.set(action.members);
    } else if (action.do === "join" || action.do === "leave") {
      held.presence[action.do](action.member);
    }
    const reached = action.do === "deliver" ? action.publication.position : "position" in action && action.position;
    const step = reached ? held.progress?.step(reached) : undefined;
    for (const handle of [...held.handles]) {
      if (!held.handles.has(handle)) continue;  // given up by a listener of another
      switch (action.do) {
        case "channel":
          handle.enter(action.state);
          break;
        case "deliver":
          handle.deliver(action.publication, step);
          break;
        case "reset":
          handle.reset(action.position, step);
          break;
        case "presence":
          handle.emit("members", held.presence.members);
          break;
        case "join":
        case "leave":
          handle.emit(action.do, action.member);
          break;
      }
    }
    step?.release();
  }
}

function absolute(url: string | URL): string {
  const page = (globalThis as { location?: { href: string } }).location?.href;
  let resolved: URL;
  try {
    resolved = new URL(url, page);
  } catch {
    throw new PealError("option_invalid", `"${url}" is no address; give ws://host:port/ws`);
  }
  resolved.protocol = resolved.protocol.replace("http", "ws");
  return resolved.href;
}

function closed(): PealError {
  return new PealError("client_closed", "the client is closed");
}
