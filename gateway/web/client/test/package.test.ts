// The package as others get it: small enough, with types, and importable where nothing of ours is.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";

const web = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "peal-package-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const kCoreBytesMax = 11 * 1024;

describe("the bundle", () => {
  execFileSync(join(web, "build"), [join(folder, "web")]);
  const file = (name: string) => readFileSync(join(folder, "web", name));

  it("of the client's core is at most 11 KB gzipped", () => {
    expect(file("client.js.gz").length).toBeLessThanOrEqual(kCoreBytesMax);
    expect(gunzipSync(file("client.js.gz"))).toEqual(file("client.js"));
  });

  it("of the page has every file twice, and nothing inline that its CSP would refuse", () => {
    for (const name of ["index.html", "app.js", "app.css", "favicon.svg"]) {
      expect(gunzipSync(file(`${name}.gz`)), name).toEqual(file(name));
    }
    for (const [page, script] of [["index.html", "app.js"], ["todo.html", "todo.js"]] as const) {
      const html = file(page).toString();
      expect(html).not.toMatch(/<style|\sstyle=|\son\w+=|javascript:|https?:\/\//);
      expect(html.match(/<script[^>]*>/g)).toEqual([`<script type="module" src="${script}">`]);
    }
  });
});

describe("the package", () => {
  it("is imported by a program of another folder, with types that check", { timeout: 600_000 }, () => {
    const modules = join(folder, "app", "node_modules", "@peal", "client");
    const tsc = join(web, "node_modules", "typescript", "bin", "tsc");
    execFileSync(process.execPath, [tsc, "-p", join(web, "client"), "--outDir", join(modules, "dist")]);
    cpSync(join(web, "client", "package.json"), join(modules, "package.json"));
    const program = `
      import { Peal, PealError } from "@peal/client";
      const peal = new Peal("ws://127.0.0.1:9/ws", { WebSocket: class { close() {} } });
      const state = peal.state.name;
      const refused = peal.publish("a", 1).catch((error) => error);
      peal.close();
      const error = await refused;
      console.log(state, error instanceof PealError, error.code, peal.state.name);`;
    writeFileSync(join(folder, "app", "main.mjs"), program);
    const printed = execFileSync(process.execPath, [join(folder, "app", "main.mjs")]).toString();
    expect(printed.trim()).toBe("connecting true client_closed closed");

    const typed = `
      import { Peal, type Publication } from "@peal/client";
      const peal = new Peal("ws://x/ws");
      const room = peal.subscribe<{ text: string }>("a");
      export async function texts(): Promise<string[]> {
        const all: string[] = [];
        for await (const { message } of room) all.push(message.text);
        return all;
      }
      export const offset = async () => (await peal.publish("a", 1)).offset satisfies number | undefined;
      export const first = (p: Publication<number>): number => p.message;
      // @ts-expect-error a publication of numbers holds no string
      export const wrong = (p: Publication<number>): string => p.message;`;
    writeFileSync(join(folder, "app", "main.ts"), typed);
    const flags = ["--noEmit", "--strict", "--target", "es2022",
                   "--lib", "es2022,dom", "--module", "nodenext"];
    const checked = spawnSync(process.execPath, [tsc, ...flags, join(folder, "app", "main.ts")]);
    expect(checked.stdout.toString()).toBe("");
    expect(checked.status).toBe(0);
  });
});
