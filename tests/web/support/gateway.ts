// One real gateway process, on free ports, that a test may freeze, kill and start again at the
// same address. Whatever happens, it is gone when the test is.
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../../..");
const program = join(process.env.PEAL_BIN ?? join(root, "build/dev/bin"), "peal-gateway");
const kReadyWithin = 20_000;

export class Gateway {
  readonly name: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "peal-web-"));
  readonly #flags: string[];
  #process?: ChildProcess;
  #listen = "127.0.0.1:0";
  #log = "";

  private constructor(name: string, webRoot: string, flags: string[]) {
    this.name = name;
    this.#flags = [
      "--name", name, "--web-root", webRoot, "--internal-listen", "127.0.0.1:0", "--control", "off",
      "--ingest", "off", "--ready-file", this.#readyFile, "--allow", "demo:*", "--drain-time", "100ms",
      ...flags,
    ];
  }

  static async start(name: string, webRoot: string, flags: string[] = []): Promise<Gateway> {
    const gateway = new Gateway(name, webRoot, flags);
    await gateway.start();
    return gateway;
  }

  get #readyFile(): string {
    return join(this.#folder, "ready");
  }

  /** "host:port", the same after every start. */
  get address(): string {
    return this.#listen;
  }

  get origin(): string {
    return `http://${this.#listen}`;
  }

  get log(): string {
    return this.#log;
  }

  async start(): Promise<void> {
    rmSync(this.#readyFile, { force: true });
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("PEAL_")));
    const child = spawn(program, ["--listen", this.#listen, ...this.#flags], {
      cwd: this.#folder, env: { ...env, XDG_RUNTIME_DIR: this.#folder }, stdio: ["ignore", "pipe", "pipe"],
    });
    let failure: string | undefined;
    child.on("error", (error) => (failure = String(error)));
    child.on("exit", (code, signal) => (failure = `ended with ${code ?? signal}`));
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (text) => (this.#log += text));
    }
    this.#process = child;
    await until(() => {
      if (failure) throw new Error(`${program}: ${failure}\n${this.#log}`);
      return existsSync(this.#readyFile);
    }, `${this.name} is ready`, kReadyWithin);
    this.#listen = JSON.parse(readFileSync(this.#readyFile, "utf8")).listen;
  }

  signal(name: "SIGSTOP" | "SIGCONT"): void {
    this.#process!.kill(name);
  }

  /** As an administrator stops it, or without a warning. */
  async stop(how: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGCONT");
    child.kill(how);
    const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(late);
  }

  async remove(): Promise<void> {
    await this.stop("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Polls `condition` until it is true; fails after the deadline, saying what was awaited. */
export async function until(
  condition: () => boolean | Promise<boolean>, what: string, deadline = 20_000,
): Promise<void> {
  const end = performance.now() + deadline;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${deadline} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
