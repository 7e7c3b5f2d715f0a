// Real processes on free ports: a gateway that a test may freeze, kill and start again at the same
// address, and a broker for several of them. Whatever happens, they are gone when the test is.
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../../..");
const bin = process.env.PEAL_BIN ?? join(root, "build/dev/bin");
const kReadyWithin = 60_000;

/** Channels that keep a log: the core keeps it, the gateway also says who may use it. */
const kCoreRules = [`
[[channels]]
pattern = "log:*"
recoverable = true
history_length_max = 100000
`, `
[[channels]]
pattern = "demo:todo:*"
recoverable = true
history_length_max = 100
history_age_max = "0s"
`];
const kAnyone = `subscribe = "anyone"
publish = "anyone"
presence = "anyone"
`;

/** One process and its folder. */
abstract class Process {
  readonly name: string;
  /** Its configuration file's text, if it has one. */
  protected config = "";
  protected ready: Record<string, string> = {};
  readonly #folder = mkdtempSync(join(tmpdir(), "peal-web-"));
  readonly #program: string;
  #process?: ChildProcess;
  #log = "";

  constructor(program: string, name: string) {
    this.name = name;
    this.#program = join(bin, program);
  }

  protected abstract flags(): string[];

  get log(): string {
    return this.#log;
  }

  async start(): Promise<this> {
    const readyFile = join(this.#folder, "ready");
    rmSync(readyFile, { force: true });
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("PEAL_")));
    const flags = ["--name", this.name, "--internal-listen", "127.0.0.1:0", "--control", "off", "--ingest", "off",
                   "--ready-file", readyFile, ...this.flags()];
    if (this.config) {
      writeFileSync(join(this.#folder, "config.toml"), this.config);
      flags.push("--config", join(this.#folder, "config.toml"));
    }
    const child = spawn(this.#program, flags, {
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
      if (failure) throw new Error(`${this.#program}: ${failure}\n${this.#log}`);
      return existsSync(readyFile);
    }, `${this.name} is ready`, kReadyWithin);
    this.ready = JSON.parse(readFileSync(readyFile, "utf8"));
    return this;
  }

  /** One sample of /metrics. */
  async metric(sample: string): Promise<number> {
    const text = await (await fetch(`http://${this.ready["internal"]}/metrics`)).text();
    const line = text.split("\n").find((line) => line.startsWith(`${sample} `));
    if (!line) throw new Error(`${this.name} has no metric ${sample}`);
    return Number(line.slice(sample.length));
  }

  /** SIGSTOP, and waits until every thread has stopped. */
  async freeze(): Promise<void> {
    const tasks = `/proc/${this.#process!.pid}/task`;
    this.#process!.kill("SIGSTOP");
    await until(() => readdirSync(tasks).every((task) => {
      const stat = readFileSync(`${tasks}/${task}/stat`, "utf8");
      return stat.slice(stat.lastIndexOf(")") + 2).startsWith("T");
    }), `${this.name} is frozen`);
  }

  thaw(): void {
    this.#process!.kill("SIGCONT");
  }

  /** As an administrator stops it, or without a warning. */
  async stop(how: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGCONT");
    child.kill(how);
    const late = setTimeout(() => child.kill("SIGKILL"), 60_000);
    await ended;
    clearTimeout(late);
  }

  async remove(): Promise<void> {
    await this.stop("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export class Gateway extends Process {
  readonly #webRoot: string;
  readonly #flags: string[];

  constructor(name: string, webRoot: string, flags: string[] = []) {
    super("peal-gateway", name);
    this.config = kCoreRules.map((rule) => rule + kAnyone).join("");
    this.#webRoot = webRoot;
    this.#flags = flags;
  }

  protected override flags(): string[] {
    return ["--listen", this.ready["listen"] ?? "127.0.0.1:0", "--web-root", this.#webRoot, "--allow", "demo:*",
            "--drain-time", "100ms", ...this.#flags];
  }

  /** "http://host:port", the same after every start. */
  get origin(): string {
    const scheme = this.#flags.includes("--tls-certificate") ? "https" : "http";
    return `${scheme}://${this.ready["listen"]}`;
  }
}

export class Broker extends Process {
  constructor() {
    super("peal-broker", "broker-1");
    this.config = kCoreRules.join("");
  }

  protected override flags(): string[] {
    return ["--bus-listen", this.ready["listen"] ?? "tcp://127.0.0.1:*"];
  }

  /** What a gateway needs to use it. */
  get gatewayFlags(): string[] {
    return ["--bus-driver", "zmq", "--bus-connect", this.ready["listen"]!];
  }
}

/** Polls `condition` until it is true; fails after the deadline, saying what was awaited. */
export async function until(
  condition: () => boolean | Promise<boolean>, what: string, deadline = 60_000,
): Promise<void> {
  const end = performance.now() + deadline;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${deadline} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
