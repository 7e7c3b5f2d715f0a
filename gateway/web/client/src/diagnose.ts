// Why did the handshake fail? A browser tells a page nothing about a WebSocket that never opened,
// so the same address is asked over HTTP, where the server can say it. Nothing comes of it when
// no server can be reached at all: then there is no more to say than that.
import { PealError } from "./errors.ts";

const kDeadline = 5000;

export async function diagnose(url: string, fetch = globalThis.fetch): Promise<PealError | undefined> {
  if (!fetch) return undefined;
  const http = url.replace(/^ws/, "http");
  const options = (): RequestInit => ({
    cache: "no-store", credentials: "omit", signal: AbortSignal.timeout?.(kDeadline),  // not everywhere yet
  });
  try {
    const response = await fetch(http, options());
    const problem = await response.json().catch(() => ({}));
    if (typeof problem.code === "string" && problem.code !== "upgrade_required") {
      const why = problem.detail ?? problem.message ?? problem.title ?? problem.code;
      const temporary = problem.temporary ?? (response.status >= 500 || response.status === 429);
      return new PealError(problem.code, why, temporary);
    }
    return refused(`${http} answers (${response.status}), but no WebSocket can be made to it`);
  } catch {
    // Unreachable, or it doesn't let this page read the answer. An opaque request tells which.
    return fetch(http, { ...options(), mode: "no-cors" }).then(
      () => refused(`${http} answers, but refuses this page: its allowed_origins may lack ` +
                    `"${globalThis.location?.origin}"`),
      () => undefined,
    );
  }
}

function refused(message: string): PealError {
  return new PealError("connection_refused", message, true);
}
