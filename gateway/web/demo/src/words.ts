// What the page says about its connection, in words for people.
import type { ConnectionState, PealError } from "../../client/src/index.ts";

const kReasons: Record<string, string> = {
  restarting: "the gateway is restarting",
  going_away: "the gateway is going away",
  link_silent: "the gateway went silent",
  connect_timeout: "the gateway does not answer",
  connection_lost: "the gateway cannot be reached",
  slow_consumer: "this page read too slowly",
  disconnected: "an operator closed the connection",
  disconnected_for_good: "an operator closed the connection",
  sessions_max: "the gateway is full",
};

export function reasonOf(error: PealError): string {
  return kReasons[error.code] ?? error.message;
}

/** The one or two words beside the dot. */
export function stateWord(state: ConnectionState): string {
  switch (state.name) {
    case "connecting":
      return state.attempt > 1 ? "Reconnecting" : "Connecting";
    case "connected":
      return "Connected";
    case "waiting":
      return state.offline ? "Offline" : "Connection lost";
    case "closed":
      return "Disconnected";
  }
}

/** Which gateway this tab is on. Where WebSockets are blocked each request may go to another one. */
export function gatewayWord(state: ConnectionState & { name: "connected" }): string {
  const ways = { websocket: "the gateway", sse: "any gateway (stream)", poll: "any gateway (polls)" };
  return state.gateway || ways[state.transport];
}

/** The sentence over the page; undefined when there is nothing to say. */
export function bannerOf(state: ConnectionState, downFor?: number): string | undefined {
  switch (state.name) {
    case "connecting":
      return state.attempt > 1 ? "Connection lost. Trying again now …" : undefined;
    case "connected":
      return state.again ? `Back again${after(downFor)}, on ${gatewayWord(state)}.` : undefined;
    case "waiting": {
      const what = state.offline ? "There is no network" : `Connection lost: ${reasonOf(state.error)}`;
      const when = state.retryIn >= 1000 ? `in ${Math.round(state.retryIn / 1000)} s` : "in a moment";
      return `${what}. Trying again ${when}.`;
    }
    case "closed":
      return state.error
        ? `Disconnected for good: ${reasonOf(state.error)}. Reload the page to try again.`
        : undefined;
  }
}

function after(ms?: number): string {
  return ms === undefined ? "" : ` after ${ms < 10_000 ? (ms / 1000).toFixed(1) : Math.round(ms / 1000)} s`;
}

export function latencyWord(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}
