// The way over HTTP: each command is a request of its own, and one request at a time follows all the
// channels, as server-sent events or as a long-poll. Any gateway may answer any of them. Thin: what
// is asked for and what becomes of the answers is the session's.
import type { Request } from "./channels.ts";
import { PealError } from "./errors.ts";
import type { Event } from "./machine.ts";
import { EventReader } from "./sse.ts";
import { decode } from "./wire.ts";

/** Seconds that a long-poll may wait for something to come. */
const kWait = 25;

export class HttpLink {
  token?: string;
  #following?: AbortController;

  readonly #url: string;
  readonly #fetch: typeof fetch;
  readonly #timeout: number;
  readonly #handle: (event: Event) => void;

  /** `url` is the WebSocket's; the HTTP faces are its neighbours. */
  constructor(url: string, fetch: typeof globalThis.fetch, timeout: number, handle: (event: Event) => void) {
    this.#url = url.replace(/^ws/, "http");
    this.#fetch = fetch;
    this.#timeout = timeout;
    this.#handle = handle;
  }

  /** Sends a command; its answer, or what has to be taken for it, comes as `replied`. */
  async command(text: string): Promise<void> {
    const { id, action } = JSON.parse(text);
    let reply = "";
    let error: PealError;
    // AbortSignal.timeout is not everywhere yet.
    const given = new AbortController();
    const late = setTimeout(() => given.abort(), this.#timeout);
    try {
      const response = await this.#post("command", text, "application/json", given.signal);
      reply = await response.text();
      error = problemOf(response.status, reply);
    } catch (failure) {
      error = new PealError("connection_lost", reason(failure), true);
    } finally {
      clearTimeout(late);
    }
    if (!isReply(reply)) {
      const { code, message, temporary } = action === "publish" ? unlessSaid(error) : error;
      reply = JSON.stringify({ id, error: { code, message, temporary } });
    }
    this.#handle({ on: "replied", text: reply });
  }

  /** Follows these channels, and no others any more. */
  follow(channels: Request[], poll: boolean, cursor?: string): void {
    this.drop();
    if (channels.length === 0) return;
    const following = (this.#following = new AbortController());
    const hear = (event: Event) => {
      if (this.#following === following) this.#handle(event);
    };
    const body = JSON.stringify({ channels, cursor, ids: poll ? undefined : false });
    // The first poll of its channels only asks what is there, so that they are known to be followed.
    const wait = cursor === undefined ? 0 : kWait;
    const done = poll ? this.#poll(body, wait, following, hear) : this.#stream(body, following, hear);
    done.catch((error) =>
      hear(error instanceof PealError ? { on: "refused", error } : { on: "closed", code: 1006, reason: reason(error) }));
  }

  drop(): void {
    this.#following?.abort();
    this.#following = undefined;
  }

  async #stream(body: string, following: AbortController, hear: (event: Event) => void): Promise<void> {
    const response = await this.#post("stream", body, "text/event-stream", following.signal);
    await expectType(response, "text/event-stream");
    const reader = response.body!.getReader();
    const decoder = new TextDecoder();
    const events = new EventReader();
    for (let piece; !(piece = await reader.read()).done; ) {
      for (const text of events.read(decoder.decode(piece.value, { stream: true }))) {
        hear(text === undefined ? { on: "alive" } : { on: "text", text });
      }
    }
    hear({ on: "closed", code: 1006, reason: "the stream ended" });
  }

  async #poll(
    body: string, wait: number, following: AbortController, hear: (event: Event) => void,
  ): Promise<void> {
    const late = setTimeout(() => following.abort(), wait * 1000 + this.#timeout);
    try {
      const response = await this.#post(`stream?wait=${wait}`, body, "application/json", following.signal);
      await expectType(response, "application/json");
      const { events, cursor } = (await response.json()) as { events: object[]; cursor?: string };
      for (const event of events) hear({ on: "text", text: JSON.stringify(event) });
      hear({ on: "polled", cursor });
    } finally {
      clearTimeout(late);
    }
  }

  #post(face: string, body: string, accept: string, signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { Accept: accept, "Content-Type": "application/json" };
    if (this.token) headers["Authorization"] = `Bearer ${this.token}`;
    const fetch = this.#fetch;  // which browsers want to be called on no other object
    return fetch(new URL(face, this.#url), { method: "POST", body, headers, signal, cache: "no-store" });
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A publish without an answer of the server's may have been carried out all the same. */
function unlessSaid(error: PealError): PealError {
  if (error.code !== "connection_lost" && error.code !== "connection_refused") return error;
  return new PealError("publish_outcome_unknown", `${error.message}: it may or may not be published`, true);
}

function isReply(text: string): boolean {
  const { id, result, error } = decode(text) ?? {};
  return id !== undefined && (result !== undefined || error !== undefined);
}

/** Throws what is not the answer to a request that follows channels. */
async function expectType(response: Response, type: string): Promise<void> {
  if (response.ok && response.headers.get("Content-Type")?.startsWith(type)) return;
  throw problemOf(response.status, await response.text());
}

/** What the server says in a problem. When it isn't the server that speaks: a 5xx passes, anything
 *  else is in the way. */
function problemOf(status: number, text: string): PealError {
  const { code, detail, title, temporary } = decode(text) ?? {};
  if (typeof code === "string") {
    return new PealError(code, detail ?? title ?? code, temporary ?? (status >= 500 || status === 429));
  }
  return new PealError(status >= 500 ? "connection_lost" : "connection_refused", `the answer was ${status}`, true);
}
