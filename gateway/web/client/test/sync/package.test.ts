// The sync client as others get it: an entry point of its own, small, with types that check.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";

const web = fileURLToPath(new URL("../../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "peal-sync-package-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const kBytesMax = 9 * 1024;

describe("the sync client", () => {
  it("is a bundle of at most 9 KB gzipped, without the rest of the client", () => {
    execFileSync(join(web, "build"), [join(folder, "web")]);
    const packed = readFileSync(join(folder, "web", "sync.js.gz"));
    console.info(`sync.js: ${packed.length} bytes gzipped`);
    expect(packed.length).toBeLessThanOrEqual(kBytesMax);
    expect(gunzipSync(packed).toString()).not.toContain("peal.json.v1");
  });

  it("is imported as @peal/client/sync, in Node too, with types that check", { timeout: 600_000 }, () => {
    const modules = join(folder, "app", "node_modules", "@peal", "client");
    const tsc = join(web, "node_modules", "typescript", "bin", "tsc");
    execFileSync(process.execPath, [tsc, "-p", join(web, "client"), "--outDir", join(modules, "dist")]);
    cpSync(join(web, "client", "package.json"), join(modules, "package.json"));
    writeFileSync(join(folder, "app", "main.mjs"), `
      import { MemoryStorage, Replica } from "@peal/client/sync";
      const replica = new Replica({ name: "a", url: "http://127.0.0.1:9/", storage: new MemoryStorage().open() });
      const document = replica.document("demo:a");
      await document.set({ text: "kept" });
      console.log(document.state.status, document.value.text);
      replica.close();`);
    const printed = execFileSync(process.execPath, [join(folder, "app", "main.mjs")]).toString();
    expect(printed.trim()).toBe("pending kept");

    writeFileSync(join(folder, "app", "main.ts"), `
      import { Replica, type Resolver } from "@peal/client/sync";
      interface Todo { text: string; done: boolean }
      const longest: Resolver<Todo> = ({ mine, theirs }) =>
        (mine?.text.length ?? 0) > (theirs?.text.length ?? 0) ? "mine" : "theirs";
      const replica = new Replica({ name: "todo", url: "http://x/", resolve: longest });
      const todo = replica.document<Todo>("demo:todo:1");
      export const done = () => todo.update((value) => value && { ...value, done: true });
      export const base = () => todo.state.conflict?.base?.text satisfies string | undefined;
      // @ts-expect-error a to-do has more to it
      export const wrong = () => todo.set({ text: "" });`);
    const flags = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom", "--module", "nodenext"];
    const checked = spawnSync(process.execPath, [tsc, ...flags, join(folder, "app", "main.ts")]);
    expect(checked.stdout.toString()).toBe("");
    expect(checked.status).toBe(0);
  });
});
