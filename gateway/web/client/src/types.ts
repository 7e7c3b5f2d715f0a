// The words of the public interface, and the shapes on the wire that it shows as they are.
import type { PealError } from "./errors.ts";

/** A place in a recoverable channel's log. Channels that keep no log have none. */
export interface Position {
  epoch: string;
  offset: number;
}

/** One publication, as it reaches a subscriber. */
export interface Publication<T = unknown> {
  channel: string;
  message: T;
  /** Only on recoverable channels. */
  position?: Position;
  key?: string;
  /** The key was deleted. */
  delete?: true;
  /** The value is too large to be sent along: fetch it. */
  notice?: true;
  /** For a publication that is not JSON: its type, and its body in one of two forms. */
  type?: string;
  text?: string;
  base64?: string;
}

/** What a publish came to. Empty on a channel that keeps no log. */
export interface Published {
  epoch?: string;
  offset?: number;
  /** The server had this `sequence` already; nothing was appended. */
  duplicate?: boolean;
}

/** One of several channels that were published to at once: each ends on its own. */
export type PublishedEach = Published & { error?: PealError };

export interface PublishOptions {
  /** The message becomes the last value of this key. */
  key?: string;
  /** Delete the key. */
  delete?: true;
  /** Append only if this is the channel's (or the key's) last position. */
  expect?: Position;
  /** Makes a repeated publish harmless: the server remembers the last sequence of each source. */
  source?: string;
  sequence?: string;
  previous?: string;
  /** Gives up: `aborted` when it was not sent yet, else `publish_outcome_unknown`. */
  signal?: AbortSignal;
}

export interface SubscribeOptions {
  /** Where to begin on a recoverable channel; without it, with what comes next. */
  since?: Position | "start" | "state";
  /** Publications kept while no loop reads them (1,000). One more ends the loop with `buffer_full`. */
  bufferMax?: number;
}

/** Where the connection is. It moves connecting → connected → waiting → connecting … until closed. */
export type ConnectionState =
  | { name: "connecting"; attempt: number }
  | {
      name: "connected";
      session: string;
      /** The name of the gateway that this client is on. */
      gateway: string;
      /** False the first time, true when the client came back. */
      again: boolean;
      limits: Record<string, unknown>;
    }
  | {
      name: "waiting";
      attempt: number;
      /** Milliseconds until the next attempt. */
      retryIn: number;
      /** Whether the browser says that there is no network. */
      offline: boolean;
      error: PealError;
    }
  /** For good. `error` is there unless the application closed it. */
  | { name: "closed"; error?: PealError };

/** Where a subscription is. */
export type SubscriptionState =
  | { name: "subscribing"; error?: PealError }
  | {
      name: "subscribed";
      /** False the first time, true after an interruption. */
      again: boolean;
      /** After an interruption: true, everything missed is delivered; false, it is gone: refetch.
       *  Absent where the channel keeps no log: what was published meanwhile is lost. */
      recovered?: boolean;
      position?: Position;
    }
  | { name: "closed"; error?: PealError };

/** The part of the WebSocket interface that the client uses: browsers', Node's, or package `ws`. */
export interface WebSocketLike {
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

export type WebSocketClass = new (url: string, protocols: string[]) => WebSocketLike;

export interface PealOptions {
  /** A key or token for `connect`, or a function asked for one at each connect. */
  token?: string | (() => string | Promise<string>);
  /** The WebSocket class, where the platform has none (Node 20: package `ws`). */
  WebSocket?: WebSocketClass;
  /** Publishes that may wait for the connection (1,000). */
  queueMax?: number;
  /** The longest first wait before reconnecting, and the longest of all, in ms (500, 20,000). */
  retryBase?: number;
  retryMax?: number;
  /** Deadline in ms for a connection to be made (10,000). */
  connectTimeout?: number;
  /** Deadline in ms for the answer to a command; after it the link counts as dead (10,000). */
  replyTimeout?: number;
  /** Deadline in ms for the answer when the link looks dead (4,000). */
  checkTimeout?: number;
}
