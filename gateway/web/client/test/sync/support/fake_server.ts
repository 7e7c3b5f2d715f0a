// A gateway's resource face in memory, as docs/protocol.md has it: logs with epochs, conditional
// PUT and DELETE, 304, 404 and 410, pages of ?since=. `fetch` is what a client of it calls;
// `onAppended` tells what the subscribers of a channel would hear.
import type { Base } from "../../../src/sync/record.ts";
import { parseTag, writeTag } from "../../../src/sync/tag.ts";

interface Log {
  epoch: string;
  top: number;
  kept: Base[];
}

export class FakeServer {
  readonly #logs = new Map<string, Log>();
  #epochs = 0;
  /** Everything that was ever appended. */
  readonly appended: { uri: string; publication: Base }[] = [];
  onAppended: (uri: string, publication: Base) => void = () => {};
  onReset: (uri: string) => void = () => {};
  /** How many publications a channel keeps. */
  lengthMax = Infinity;
  /** Answers instead of doing anything: the next one is taken by the next request. */
  readonly refusals: { status: number; code: string; temporary: boolean }[] = [];
  /** What was asked, and the answer's status. */
  readonly requests: string[] = [];

  /** The channel's past is gone; its next publication is in a new epoch. */
  reset(uri: string): void {
    this.#logs.delete(uri);
    this.onReset(uri);
  }

  last(uri: string): Base | undefined {
    return this.#logs.get(uri)?.kept.at(-1);
  }

  value(uri: string): unknown {
    const last = this.last(uri);
    return last?.is === "value" ? last.value : undefined;
  }

  /** As somebody else's publish. */
  write(uri: string, value: unknown): void {
    this.#append(uri, value);
  }

  /** What came after a place, or undefined where the log does not reach back. */
  after(uri: string, since: { epoch: string; offset: number } | "start"): Base[] | undefined {
    const log = this.#log(uri);
    if (since === "start") return [...log.kept];
    if (since.epoch !== log.epoch || since.offset > log.top) return undefined;
    const first = log.kept[0]?.tag!.offset ?? log.top + 1;
    return since.offset < first - 1 ? undefined : log.kept.filter(({ tag }) => tag!.offset > since.offset);
  }

  readonly fetch = async (input: unknown, init: RequestInit = {}): Promise<Response> => {
    const response = this.#answer(input, init);
    const { pathname, search } = new URL(String(input));
    this.requests.push(`${init.method} ${decodeURIComponent(pathname.slice("/channels/".length))}${search} ${response.status}`);
    return response;
  };

  #answer(input: unknown, init: RequestInit): Response {
    const url = new URL(String(input));
    const uri = decodeURIComponent(url.pathname.slice("/channels/".length));
    const headers = new Headers(init.headers);
    const refusal = this.refusals.shift();
    if (refusal) return problem(refusal.status, refusal.code, refusal.temporary);
    if (url.searchParams.has("since")) return this.#page(uri, url.searchParams);
    switch (init.method) {
      case "GET": return this.#get(uri, headers);
      case "PUT": return this.#put(uri, headers, JSON.parse(String(init.body)));
      case "DELETE": return this.#put(uri, headers, undefined);
    }
    return problem(405, "method_not_allowed");
  }

  #get(uri: string, headers: Headers): Response {
    const last = this.last(uri);
    if (!last) return problem(404, "not_found");
    if (last.is === "deleted") return problem(410, "gone", false, last.tag);
    const ETag = writeTag(last.tag);
    if (headers.get("If-None-Match") === ETag) return new Response(null, { status: 304, headers: { ETag } });
    return this.#value(last);
  }

  #value({ tag, value }: Base & { is: "value" }, status = 200): Response {
    const headers = { "ETag": writeTag(tag), "Content-Type": "application/json" };
    return new Response(JSON.stringify(value), { status, headers });
  }

  #put(uri: string, headers: Headers, value: unknown): Response {
    const last = this.last(uri);
    const there = last?.is === "value";
    const expected = headers.get("If-Match");
    const holds = expected === null ? headers.get("If-None-Match") === "*" && !there
                                    : there && writeTag(last.tag) === writeTag(parseTag(expected)!);
    if (!holds) return there ? this.#value(last, 412) : problem(412, "position_mismatch", false, last?.tag);
    const ETag = writeTag(this.#append(uri, value).tag!);
    return new Response(null, { status: value === undefined ? 204 : there ? 200 : 201, headers: { ETag } });
  }

  #page(uri: string, query: URLSearchParams): Response {
    const since = query.get("since")!;
    const log = this.#log(uri);
    const all = this.after(uri, since === "start" ? "start" : parseTag(`"${since}"`)!);
    if (!all) return problem(410, "position_lost");
    const publications = all.slice(0, Number(query.get("limit"))).map((publication) =>
      publication.is === "deleted" ? { offset: publication.tag!.offset, delete: true }
                                   : { offset: publication.tag.offset, message: publication.value });
    return Response.json({ epoch: log.epoch, offset: log.top, publications });
  }

  #append(uri: string, value: unknown): Base {
    const log = this.#log(uri);
    const tag = { epoch: log.epoch, offset: ++log.top };
    const publication: Base = value === undefined ? { is: "deleted", tag } : { is: "value", tag, value };
    log.kept.push(publication);
    while (log.kept.length > this.lengthMax) log.kept.shift();
    this.appended.push({ uri, publication });
    this.onAppended(uri, publication);
    return publication;
  }

  /** A log is made when it is first asked for. Epochs have no order, as far as clients know. */
  #log(uri: string): Log {
    const log = this.#logs.get(uri) ??
      { epoch: ((++this.#epochs * 7919) % 99991).toString(36).padStart(8, "e"), top: 0, kept: [] };
    this.#logs.set(uri, log);
    return log;
  }
}

function problem(status: number, code: string, temporary = false, more: object = {}): Response {
  return new Response(JSON.stringify({ type: "about:blank", title: code, status, code, temporary, ...more }),
                      { status, headers: { "Content-Type": "application/problem+json" } });
}
