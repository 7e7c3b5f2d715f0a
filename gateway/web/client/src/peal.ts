// The client: one connection to any gateway, made at once, kept, and made again when it is lost.
// Several clients may live in one page.
import { Driver, type Upward } from "./driver.ts";
import { Emitter } from "./emitter.ts";
import { PealError } from "./errors.ts";
import { Subscription } from "./subscription.ts";
import type {
  ConnectionState, PealOptions, Published, PublishedEach, PublishOptions, SubscribeOptions,
  SubscriptionState,
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

export class Peal extends Emitter<PealEvents> {
  #state: ConnectionState = { name: "connecting", attempt: 1 };
  #lastTicket = 0;
  readonly #calls = new Map<number, Call>();
  readonly #channels = new Map<string, { handles: Set<Subscription<any>>; state: SubscriptionState }>();
  readonly #driver: Driver;

  /** `url` is the gateway's WebSocket address; in a page it may be relative: `/ws`. */
  constructor(url: string | URL, options: PealOptions = {}) {
    super();
    this.#driver = new Driver(absolute(url), options, (action) => this.#done(action));
    this.#driver.handle({ on: "start" });
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Subscribes, now and after every interruption, until the subscription is given up. */
  subscribe<T = unknown>(channel: string, options: SubscribeOptions = {}): Subscription<T> {
    if (this.#state.name === "closed") throw closed();
    const held = this.#channels.get(channel);
    if (held && options.since) {
      throw new PealError("option_invalid", `"${channel}" is subscribed already, \`since\` has no effect`);
    }
    const handle = new Subscription<T>(channel, options.bufferMax ?? 1000, (handle) => this.#left(handle));
    if (held) {
      held.handles.add(handle);
      handle.enter(held.state);
    } else {
      this.#channels.set(channel, { handles: new Set([handle]), state: handle.state });
      this.#driver.handle({ on: "subscribe", channel, since: options.since });
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
    if (!held) return;
    if (action.do === "channel") {
      held.state = action.state;
      if (action.state.name === "closed") this.#channels.delete(action.channel);
    }
    for (const handle of [...held.handles]) {
      if (!held.handles.has(handle)) continue;  // given up by a listener of another
      if (action.do === "channel") handle.enter(action.state);
      else if (action.do === "deliver") handle.deliver(action.publication);
      else handle.emit("reset", action.position);
    }
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
