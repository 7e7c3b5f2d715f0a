// The words of the public interface, and the shapes on the wire that it shows as they are.
import type { PealError } from "./errors.ts";

/** A place in a recoverable channel's log. Channels that keep no log have none. */
export interface Position {
  epoch: string;
  offset: number;
}

/** A way to the server: the best one that works is taken. */
export type TransportName = "websocket" | "sse" | "poll";

/** One session in a channel that tells who is there. */
export interface Member {
  session: string;
  user?: string;
  data?: any;
}

/** Who is in a channel. `members` may be only the first of them; the counts are of all. */
export interface PresencePage {
  members: Member[];
  /** Sessions. */
  count: number;
  /** Users; a session without one counts as a user of its own. */
  users?: number;
  /** There are more: ask for them with `after`. */
  next?: string;
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

/** What the application asks of a channel. */
export interface Wish {
  /** Where to begin on a recoverable channel: after a position, with the oldest kept, or with the last
   *  value of each key; without it, with what comes next. */
  since?: Position | "start" | "state";
  /** Be seen in the channel, and see who is there. */
  presence?: boolean;
  /** What others see of this client. */
  data?: unknown;
}

export interface SubscribeOptions extends Wish {
  /** Publications kept while no loop reads them (1,000). One more ends the loop with `buffer_full`. */
  bufferMax?: number;
}

/** Where the connection is. It moves connecting → connected → waiting → connecting … until closed. */
export type ConnectionState =
  | { name: "connecting"; attempt: number }
  | {
      name: "connected";
      transport: TransportName;
      session: string;
      /** The name of the gateway that this client is on; empty over HTTP, where it may be any. */
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

export interface HistoryOptions {
  since?: Position;
  /** At most so many. */
  limit?: number;
  /** Newest first. */
  reverse?: boolean;
}

/** A stretch of a channel's log, and where the log ends. */
export interface History<T = unknown> extends Position {
  publications: Publication<T>[];
}

/** The past is gone: what was built from it has to be fetched anew; publications go on after `reset`. */
export interface Reset {
  channel: string;
  reset: Position;
}

/** Where positions outlive the page. See `@peal/client/positions`. */
export interface PositionStore {
  get(channel: string): Position | undefined;
  set(channel: string, position: Position): void;
  delete(channel: string): void;
}

export interface PealOptions {
  /** The ways that may be taken, best first: `["websocket", "sse", "poll"]`. */
  transports?: TransportName[];
  /** `fetch` of one's own, for everything but WebSockets. */
  fetch?: typeof fetch;
  /** Keeps the positions of subscriptions, and lets them go on from there. */
  positions?: PositionStore;
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
