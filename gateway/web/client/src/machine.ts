// What goes into the session machine and what comes out of it. The machine is pure: it knows no
// socket, clock or timer; the driver feeds it events and carries out its actions, in order.
import type { PealError } from "./errors.ts";
import type { Request } from "./channels.ts";
import type {
  ConnectionState, Member, PresencePage, Position, Publication, SubscriptionState, TransportName, Wish,
} from "./types.ts";

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
  | "resubscribe"
  /** Time to ask over HTTP for what has changed among the channels. */
  | "follow"
  /** The stream that was asked for must have begun. */
  | "stream"
  /** Time to look for a better transport. */
  | "better";

export type Event =
  | { on: "start" }
  | { on: "stop" }
  | { on: "opened" }
  | { on: "identified"; token?: string; error?: PealError }
  | { on: "text"; text: unknown }
  /** The stream showed that it is there. */
  | { on: "alive" }
  /** The answer to a command that was a request of its own. */
  | { on: "replied"; text: string }
  /** A long-poll was answered in full; the next one may begin at `cursor`. */
  | { on: "polled"; cursor?: string }
  | { on: "closed"; code: number; reason: string }
  /** The request that follows the channels was refused. */
  | { on: "refused"; error: PealError }
  | { on: "diagnosed"; error: PealError }
  | { on: "looked"; works: boolean }
  | { on: "timer"; timer: TimerName }
  /** The platform's hints: the network went or came, or the page woke up. */
  | { on: "hint"; hint: "offline" | "online" | "awake" }
  | { on: "subscribe"; channel: string; wish?: Wish }
  | { on: "unsubscribe"; channel: string }
  /** `waits` for a connection, or is refused without one. */
  | { on: "call"; ticket: number; action: string; payload: string; waits: boolean }
  | { on: "abandon"; ticket: number };

export type Action =
  | { do: "open"; transport: TransportName }
  /** Fetch the token; answer with `identified`. */
  | { do: "identify" }
  /** Find out why the handshake failed; answer with `diagnosed`, if there is anything to say. */
  | { do: "diagnose" }
  | { do: "send"; text: string }
  /** Follow exactly these channels over HTTP, in place of those before. */
  | { do: "follow"; channels: Request[]; cursor?: string }
  /** See whether a WebSocket can be made by now; answer with `looked`. */
  | { do: "look" }
  /** Close the link and hear nothing more from it. */
  | { do: "drop" }
  | { do: "arm"; timer: TimerName; ms: number }
  | { do: "disarm"; timer: TimerName }
  | { do: "state"; state: ConnectionState }
  | { do: "settle"; ticket: number; result?: unknown; error?: PealError }
  | { do: "channel"; channel: string; state: SubscriptionState }
  | { do: "deliver"; channel: string; publication: Publication }
  /** The position that was reached without a publication. */
  | { do: "moved"; channel: string; position: Position }
  | { do: "reset"; channel: string; position: Position }
  /** Who is there, all of them; then who comes and goes. */
  | { do: "presence"; channel: string; members: PresencePage }
  | { do: "join" | "leave"; channel: string; member: Member }
  /** An error that belongs to no command and no subscription. */
  | { do: "report"; error: PealError };

export type Emit = (action: Action) => void;
