// How the gateway serves the page: revalidated, compressed, and with a policy that allows it no more
// than it needs.
import { readFileSync } from "node:fs";
import { request, type IncomingHttpHeaders } from "node:http";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { stage } from "./support/stage.ts";

const here = stage();

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** Not `fetch`, which would decompress. The path is sent as it is. */
function get(origin: string, path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method, headers, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece) => pieces.push(piece));
      response.on("end", () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(pieces) }));
      response.on("error", reject);
    });
    sent.on("error", reject);
    sent.end();
  });
}

const kTypes = {
  "/": "text/html", "/index.html": "text/html", "/app.js": "text/javascript", "/app.css": "text/css",
  "/client.js": "text/javascript", "/sync.js": "text/javascript", "/todo.html": "text/html", "/favicon.svg": "image/svg+xml",
};

describe("the page's files", () => {
  it("come with their type, whole, and compressed for those who take it", async () => {
    const gateway = await here.gateway();
    for (const [path, type] of Object.entries(kTypes)) {
      const file = readFileSync(join(here.bundle, path === "/" ? "index.html" : path));
      const plain = await get(gateway.origin, path);
      expect([plain.status, plain.headers["content-encoding"]], path).toEqual([200, undefined]);
      expect(plain.headers["content-type"]).toContain(type);
      expect(plain.headers["x-content-type-options"]).toBe("nosniff");
      expect(plain.body).toEqual(file);
      const packed = await get(gateway.origin, path, { "Accept-Encoding": "gzip, br" });
      expect(packed.headers["content-encoding"], path).toBe("gzip");
      expect(packed.headers["vary"]).toMatch(/accept-encoding/i);
      expect(packed.body.length).toBeLessThan(file.length);
      expect(gunzipSync(packed.body)).toEqual(file);
      const refused = await get(gateway.origin, path, { "Accept-Encoding": "gzip;q=0, identity" });
      expect(refused.headers["content-encoding"], path).toBeUndefined();
    }
  });

  it("are not sent again to those who have them", async () => {
    const gateway = await here.gateway();
    for (const encoding of ["gzip", "identity"]) {
      const headers = { "Accept-Encoding": encoding };
      const first = await get(gateway.origin, "/app.js", headers);
      const etag = first.headers["etag"]!;
      expect(etag).toMatch(/^(W\/)?".+"$/);
      const second = await get(gateway.origin, "/app.js", { ...headers, "If-None-Match": etag });
      expect([second.status, second.body.length]).toEqual([304, 0]);
      expect(second.headers["etag"]).toBe(etag);
      const other = await get(gateway.origin, "/app.js", { ...headers, "If-None-Match": '"another"' });
      expect(other.status).toBe(200);
    }
    expect((await get(gateway.origin, "/app.js", {}, "HEAD")).body.length).toBe(0);
  });

  it("come with a policy that forbids what the page does not do", async () => {
    const gateway = await here.gateway();
    const policy = (await get(gateway.origin, "/")).headers["content-security-policy"] as string;
    expect(policy).toContain("default-src 'self'");
    expect(policy).not.toMatch(/unsafe|\*/);
  });

  it("may be imported by other origins only where that is meant: the client", async () => {
    const gateway = await here.gateway();
    const headers = { Origin: "http://elsewhere.example" };
    expect((await get(gateway.origin, "/client.js", headers)).headers["access-control-allow-origin"]).toBe("*");
    expect((await get(gateway.origin, "/app.js", headers)).headers["access-control-allow-origin"]).toBeUndefined();
  });

  it("are all that can be had", async () => {
    const gateway = await here.gateway();
    for (const path of ["/nothing.js", "/../package.json", "/%2e%2e/package.json", "/..%2fpackage.json", "/app.js/",
                        "//etc/passwd", "/app.js%00", "/.", "/%2e%2e%2f%2e%2e%2fetc%2fpasswd"]) {
      const { status, body } = await get(gateway.origin, path);
      expect(status, path).toBeGreaterThanOrEqual(400);
      expect(status, path).toBeLessThan(500);
      expect(body.toString()).not.toMatch(/root:|"license"/);
    }
  });
});
