// The WebSocket close codes: their names, and whether the client comes back after one. The server's
// table is proto/include/peal/proto/close_code.hpp; a test holds the two together.
import { PealError } from "./errors.ts";

const kNames: Record<number, string> = {
  1000: "normal",
  1001: "going_away",
  1002: "protocol_error",
  1007: "invalid_payload",
  1008: "policy_violation",
  1009: "too_big",
  1011: "internal_error",
  1012: "restarting",
  3000: "slow_consumer",
  3001: "heartbeat_timeout",
  3002: "flooding",
  3003: "disconnected",
  3500: "disconnected_for_good",
  3501: "token_invalid",
};

export function mayReconnect(code: number): boolean {
  return code !== 1000 && code !== 1008 && !(code >= 3500 && code <= 3999);
}

/** How long the server asks to wait before coming back, in ms; a close's reason says so at its end. */
export function retryAfterOf(reason: string): number | undefined {
  const found = /; retry_after_ms=(\d{1,6})$/.exec(reason);
  return found ? Number(found[1]) : undefined;
}

export function errorOfClose(code: number, reason: string): PealError {
  const name = kNames[code] ?? "connection_lost";
  return new PealError(name, reason || `the server closed the connection (${code} ${name})`,
                       mayReconnect(code), code);
}
