// The server over its resource face: GET, PUT and DELETE of /channels/{name}, conditions by ETag,
// and pages of the log by ?since=.
import type { Position } from "../types.ts";
import type { Base, Remote } from "./record.ts";
import { RemoteError, type RemoteStore } from "./remote.ts";
import { parseTag, writeTag } from "./tag.ts";

export interface HttpRemoteOptions {
  /** Sent as a bearer token; a function is asked at each request. */
  token?: string | (() => string | Promise<string>);
  fetch?: typeof fetch;
}

const kTemporary = new Set([408, 425, 429]);
const kPageLimit = 100;

export class HttpRemote implements RemoteStore {
  readonly #root: URL;
  readonly #token: HttpRemoteOptions["token"];
  readonly #fetch: typeof fetch;

  /** `url`: any address of the gateway, "http://host:port/". */
  constructor(url: string | URL, { token, fetch = globalThis.fetch }: HttpRemoteOptions = {}) {
    this.#root = new URL("channels/", new URL("./", url));
    this.#root.protocol = this.#root.protocol.replace("ws", "http");
    this.#token = token;
    this.#fetch = (...what) => fetch(...what);  // a window's fetch wants no other `this`
  }

  async get(uri: string, unless: Position | undefined, signal: AbortSignal): Promise<Remote | "same"> {
    const condition = unless && { "If-None-Match": writeTag(unless) };
    const response = await this.#ask("GET", uri, { Accept: "application/json", ...condition }, signal);
    if (response.status === 304) return "same";
    if (response.status === 410) {
      const { epoch, offset } = await jsonOf(response);
      return { is: "deleted", ...(typeof offset === "number" && { tag: { epoch: String(epoch), offset } }) };
    }
    if (response.status === 404 && (await codeOf(response)) === "not_found") return { is: "nothing" };
    if (response.status !== 200) throw await errorOf(response);
    const tag = parseTag(response.headers.get("ETag"));
    if (!tag) throw new RemoteError("tag_missing", `${uri} came without an ETag: is its channel recoverable?`, false);
    const type = response.headers.get("Content-Type") ?? "";
    if (!/[/+]json\b/i.test(type)) {
      throw new RemoteError("type_unsupported", `${uri} is "${type}", and only JSON is kept in step`, false);
    }
    return { is: "value", tag, value: await jsonOf(response) };
  }

  async put(
    uri: string, value: unknown, on: Position | "absent", signal: AbortSignal,
  ): Promise<Position | "changed"> {
    const condition: Record<string, string> =
      on === "absent" ? { "If-None-Match": "*" } : { "If-Match": writeTag(on) };
    const headers = { "Content-Type": "application/json", ...condition };
    const response = await this.#ask("PUT", uri, headers, signal, { body: JSON.stringify(value) });
    return written(uri, response);
  }

  async remove(uri: string, on: Position, signal: AbortSignal): Promise<Position | "changed"> {
    return written(uri, await this.#ask("DELETE", uri, { "If-Match": writeTag(on) }, signal));
  }

  async since(uri: string, after: Position | "start", signal: AbortSignal): Promise<Base[] | "lost"> {
    const from = after === "start" ? after : `${after.epoch}-${after.offset}`;
    const headers = { Accept: "application/json" };
    const response = await this.#ask("GET", uri, headers, signal, { query: `?since=${from}&limit=${kPageLimit}` });
    if (response.status === 410 || response.status === 404) return "lost";
    if (response.status !== 200) throw await errorOf(response);
    const page = await jsonOf(response);
    const publications: Record<string, any>[] = page.publications;
    return publications.map((publication) => {
      const tag = { epoch: String(page.epoch), offset: Number(publication.offset) };
      return publication.delete ? { is: "deleted", tag } : { is: "value", tag, value: publication.message };
    });
  }

  async #ask(
    method: string, uri: string, headers: Record<string, string>, signal: AbortSignal,
    { query = "", body }: { query?: string; body?: string } = {},
  ): Promise<Response> {
    const token = typeof this.#token === "function" ? await this.#token() : this.#token;
    const url = new URL(encodeURIComponent(uri) + query, this.#root);
    const init: RequestInit = {
      method, signal, cache: "no-store",
      headers: token === undefined ? headers : { ...headers, Authorization: `Bearer ${token}` },
    };
    if (body !== undefined) init.body = body;
    try {
      return await this.#fetch(url, init);
    } catch (error) {
      throw lost(error);
    }
  }
}

async function written(uri: string, response: Response): Promise<Position | "changed"> {
  if (response.status === 412) return "changed";
  if (!response.ok) throw await errorOf(response);
  const tag = parseTag(response.headers.get("ETag"));
  if (!tag) throw new RemoteError("tag_missing", `${uri} was taken without an ETag: is its channel recoverable?`, false);
  return tag;
}

async function codeOf(response: Response): Promise<string> {
  return (await response.clone().json().catch(() => ({}))).code ?? "";
}

async function errorOf(response: Response): Promise<RemoteError> {
  const problem = await response.json().catch(() => ({}));
  const temporary = problem.temporary ?? (response.status >= 500 || kTemporary.has(response.status));
  const message = problem.detail ?? problem.title ?? `the server answered ${response.status}`;
  return new RemoteError(String(problem.code ?? `http_${response.status}`), String(message), temporary === true);
}

async function jsonOf(response: Response): Promise<any> {
  try {
    return await response.json();
  } catch (error) {
    throw lost(error);
  }
}

function lost(error: unknown): RemoteError {
  return new RemoteError("connection_lost", `no whole answer came: ${(error as Error).message}`, true);
}
