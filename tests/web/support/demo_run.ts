// tools/run as a person starts it, on ports of its own: what it prints, and an end for all of it.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { until } from "./gateway.ts";

const root = resolve(import.meta.dirname, "../../..");

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export class DemoRun {
  output = "";
  readonly #folder = mkdtempSync(join(tmpdir(), "peal-run-"));
  #process?: ChildProcess;

  async start(...flags: string[]): Promise<this> {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("PEAL_")));
    const child = spawn(join(root, "tools/run"), [...flags, "--port", String(await freePort())], {
      env: { ...env, PEAL_BIN: process.env.PEAL_BIN ?? join(root, "build/dev/bin"), PEAL_RUN_DIR: join(this.#folder, "run") },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (this.output += text));
    this.#process = child;
    await until(() => {
      if (child.exitCode !== null) throw new Error(`tools/run ended with ${child.exitCode}\n${this.output}`);
      return this.output.includes("Ctrl-C stops it");
    }, "tools/run is ready");
    return this;
  }

  /** What stands in the output, its first group. */
  found(pattern: RegExp): string {
    const match = pattern.exec(this.output);
    if (!match) throw new Error(`tools/run did not print ${pattern}\n${this.output}`);
    return match[1]!;
  }

  async remove(): Promise<void> {
    const child = this.#process;
    if (child && child.exitCode === null) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
