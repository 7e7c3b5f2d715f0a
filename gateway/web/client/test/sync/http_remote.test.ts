// The sync client's HTTP, against the model server and against answers that are none.
import { describe, expect, it } from "vitest";
import { HttpRemote } from "../../src/sync/http_remote.ts";
import { parseTag, writeTag } from "../../src/sync/tag.ts";
import { FakeServer } from "./support/fake_server.ts";
import { remoteSuite } from "./support/remote_suite.ts";

remoteSuite("the model server", async () => ({ url: "http://server/", fetch: new FakeServer().fetch as typeof fetch }));

const { signal } = new AbortController();

function answering(status: number, body: string, headers: Record<string, string> = {}) {
  const asked: { url: string; headers: Headers }[] = [];
  const remote = new HttpRemote("ws://server/ws", {
    token: () => "secret",
    fetch: async (url, init) => {
      asked.push({ url: String(url), headers: new Headers(init?.headers) });
      return new Response(body, { status, headers });
    },
  });
  return { remote, asked };
}

describe("an answer that is none", () => {
  it.each([
    [500, "oops", {}, { code: "http_500", temporary: true }],
    [503, '{"code":"storage_unavailable","temporary":true}', {}, { code: "storage_unavailable", temporary: true }],
    [404, "<h1>404</h1>", {}, { code: "http_404", temporary: false }],
    [403, '{"code":"permission_denied","detail":"no","temporary":false}', {}, { code: "permission_denied", message: "no" }],
    [429, "", {}, { temporary: true }],
    [200, "1", { "Content-Type": "application/json" }, { code: "tag_missing", temporary: false }],
    [200, "x", { "ETag": '"aaaaaaaa-1"', "Content-Type": "text/plain" }, { code: "type_unsupported", temporary: false }],
    [200, '{"half', { "ETag": '"aaaaaaaa-1"', "Content-Type": "application/json" }, { code: "connection_lost", temporary: true }],
  ])("%i %s is an error that says so", async (status, body, headers, error) => {
    const { remote, asked } = answering(status, body, headers as Record<string, string>);
    await expect(remote.get("a/b c", undefined, signal)).rejects.toMatchObject(error);
    expect(asked[0]!.url).toBe("http://server/channels/a%2Fb%20c");
    expect(asked[0]!.headers.get("Authorization")).toBe("Bearer secret");
  });
});

describe("a tag", () => {
  it("is a place, whatever form it comes in", () => {
    for (const text of ['"aZ09aZ09-12"', 'W/"aZ09aZ09-12"', '"aZ09aZ09-12;gzip"', ' "aZ09aZ09-12;html" ']) {
      expect(parseTag(text)).toEqual({ epoch: "aZ09aZ09", offset: 12 });
    }
    expect(writeTag({ epoch: "aZ09aZ09", offset: 12 })).toBe('"aZ09aZ09-12"');
  });

  it("of another kind is none", () => {
    for (const text of [null, "", "aZ09aZ09-12", '"aZ09aZ0-12"', '"aZ09aZ09-"', '"aZ09aZ09--1"', '"aZ09aZ09-99999999999999999"', '*']) {
      expect(parseTag(text)).toBeUndefined();
    }
  });
});
