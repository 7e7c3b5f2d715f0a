// HAProxy in front of several gateways, as strangers run it: round robin without stickiness, and
// without WebSockets, or without streams either. Its connections can be cut at any moment.
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until, type Gateway } from "./gateway.ts";

const kProgram = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"].find(existsSync) ?? "haproxy";

export interface ProxyOptions {
  /** What it doesn't let through. */
  blocks: ("websocket" | "sse")[];
}

export class Proxy {
  readonly #folder = mkdtempSync(join(tmpdir(), "peal-proxy-"));
  readonly #gateways: Gateway[];
  #port = 0;
  #process?: ChildProcess;
  #log = "";

  private constructor(gateways: Gateway[]) {
    this.#gateways = gateways;
  }

  static async start(gateways: Gateway[], options: ProxyOptions): Promise<Proxy> {
    const proxy = new Proxy(gateways);
    proxy.#port = await freePort();
    writeFileSync(join(proxy.#folder, "haproxy.cfg"), proxy.#config(options));
    const child = spawn(kProgram, ["-db", "-f", "haproxy.cfg"], { cwd: proxy.#folder, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (proxy.#log += text));
    proxy.#process = child;
    await until(() => {
      if (child.exitCode !== null) throw new Error(`haproxy: ${proxy.#log}`);
      return proxy.ask("show info").then((text) => text.includes("Uptime"), () => false);
    }, "the proxy answers");
    return proxy;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Cuts every connection through it to one gateway. */
  async cut(index: number): Promise<void> {
    await this.ask(`shutdown sessions server gateways/${this.#gateways[index]!.name}`);
  }

  /** Requests that each gateway has had through it, in order. */
  async shares(): Promise<number[]> {
    const [titles, ...rows] = (await this.ask("show stat")).trim().split("\n").map((line) => line.split(","));
    const [name, total] = ["svname", "stot"].map((title) => titles!.indexOf(title)) as [number, number];
    return this.#gateways.map((gateway) => Number(rows.find((row) => row[name] === gateway.name)![total]));
  }

  async remove(): Promise<void> {
    const child = this.#process;
    if (child && child.exitCode === null) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** One command over its socket. */
  ask(command: string): Promise<string> {
    return new Promise((resolve, reject) => {
      let answer = "";
      const socket = connect(join(this.#folder, "control"), () => socket.write(`${command}\n`));
      socket.on("data", (text) => (answer += text));
      socket.on("close", () => resolve(answer));
      socket.on("error", reject);
    });
  }

  #config({ blocks }: ProxyOptions): string {
    const rules = {
      websocket: "http-request deny deny_status 403 if { req.hdr(Upgrade) -m found }",
      sse: "http-request deny deny_status 403 if { req.hdr(Accept) -m sub text/event-stream }",
    };
    const servers = this.#gateways.map(({ name, origin }) => `  server ${name} ${new URL(origin).host}`);
    return `
global
  stats socket ${join(this.#folder, "control")} level admin
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
frontend public
  bind 127.0.0.1:${this.#port}
${blocks.map((way) => `  ${rules[way]}`).join("\n")}
  default_backend gateways
backend gateways
  balance roundrobin
  option redispatch
${servers.join("\n")}
`;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
