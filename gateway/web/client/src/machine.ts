// What goes into the session machine and what comes out of it. The machine is pure: it knows no
// socket, clock or timer; the driver feeds it events and carries out its actions, in order.
import type { PealError } from "./errors.ts";
import type { ConnectionState, Position, Publication, SubscriptionState } from "./types.ts";

export type TimerName =
  /** The connection must stand by now. */
  | "connect"
  /** Time for the next attempt. */
  | "retry"
  /** Nothing came for so long that the link has to be checked. */
  | "silence"
  /** The check has to be answered by now. */
  | "check"
  /** Looks for commands that wait too long for their answer. */
  | "reply"
  /** The connection has lasted: failures before it are forgotten. */
  | "stable"
  /** Time to ask again for the subscriptions that were refused for the time being. */
  | "resubscribe";

export type Event =
  | { on: "start" }
  | { on: "stop" }
  | { on: "opened" }
  | { on: "identified"; token?: string; error?: PealError }
  | { on: "text"; text: unknown }
  | { on: "closed"; code: number; reason: string }
  | { on: "diagnosed"; error: PealError }
  | { on: "timer"; timer: TimerName }
  /** The platform's hints: the network went or came, or the page woke up. */
  | { on: "hint"; hint: "offline" | "online" | "awake" }
  | { on: "subscribe"; channel: string; since?: Position | "start" | "state" }
  | { on: "unsubscribe"; channel: string }
  /** `waits` for a connection, or is refused without one. */
  | { on: "call"; ticket: number; action: string; payload: string; waits: boolean }
  | { on: "abandon"; ticket: number };

export type Action =
  | { do: "open" }
  /** Fetch the token; answer with `identified`. */
  | { do: "identify" }
  /** Find out why the handshake failed; answer with `diagnosed`, if there is anything to say. */
  | { do: "diagnose" }
  | { do: "send"; text: string }
  /** Close the socket and hear nothing more from it. */
  | { do: "drop" }
  | { do: "arm"; timer: TimerName; ms: number }
  | { do: "disarm"; timer: TimerName }
  | { do: "state"; state: ConnectionState }
  | { do: "settle"; ticket: number; result?: unknown; error?: PealError }
  | { do: "channel"; channel: string; state: SubscriptionState }
  | { do: "deliver"; channel: string; publication: Publication }
  | { do: "reset"; channel: string; position: Position }
  /** An error that belongs to no command and no subscription. */
  | { do: "report"; error: PealError };

export type Emit = (action: Action) => void;
