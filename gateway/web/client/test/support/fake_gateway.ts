// A gateway small enough for the client's tests: real sockets, the real protocol, no channel log.
// It can fall silent, refuse handshakes and die, which is what the tests are about.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer, type WebSocket } from "ws";
import { bodyOf, pollOf, problem, streamOf, type HttpSession } from "./fake_http.ts";

export interface Refusal {
  status: number;
  body: object;
}

export interface FakeGatewayOptions {
  heartbeatMs?: number;
  port?: number;
  name?: string;
  /** Refuses every handshake, as a real gateway would. */
  refusal?: Refusal;
  /** The ways that lead here; the others end at something that only answers plain requests. */
  ways?: ("websocket" | "sse" | "poll")[];
  /** Takes over a command: an answer, `{}` for none at all, or nothing to do. */
  intercept?: (action: string, payload: any) => object | "default";
}

interface Session {
  socket: WebSocket;
  channels: Set<string>;
  heartbeat?: ReturnType<typeof setInterval>;
}

export class FakeGateway {
  readonly commands: { action: string; payload: any }[] = [];
  readonly published: { channel: string; message: unknown }[] = [];
  readonly sessions = new Set<Session>();
  readonly streams = new Set<HttpSession>();
  /** The Authorization headers of requests, in order. */
  readonly shown: (string | undefined)[] = [];
  silent = false;
  heartbeats = 0;
  /** The port, also after the end, for one that takes its place. */
  port = 0;
  readonly #options: FakeGatewayOptions;
  readonly #http = createServer((request, response) => this.#answer(request, response));
  readonly #ws = new WebSocketServer({ noServer: true });
  #sessionsEver = 0;

  private constructor(options: FakeGatewayOptions) {
    this.#options = options;
    this.#http.on("upgrade", (request, socket, head) => {
      socket.on("error", () => {}); // a client that leaves in the midst of it
      const blocked = { status: 403, body: { error: "no upgrades through this proxy" } };
      const refusal = options.refusal ?? (this.#leads("websocket") ? undefined : blocked);
      if (refusal) {
        const body = JSON.stringify(refusal.body);
        socket.end(`HTTP/1.1 ${refusal.status} No\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
        return;
      }
      this.#ws.handleUpgrade(request, socket, head, (socket) => this.#accept(socket));
    });
  }

  static async start(options: FakeGatewayOptions = {}): Promise<FakeGateway> {
    const gateway = new FakeGateway(options);
    await new Promise<void>((resolve, reject) => {
      gateway.#http.once("error", reject);
      gateway.#http.listen(options.port ?? 0, "127.0.0.1", resolve);
    });
    gateway.port = (gateway.#http.address() as AddressInfo).port;
    return gateway;
  }

  /** Ways may be opened and closed while it runs. */
  set ways(ways: FakeGatewayOptions["ways"]) {
    this.#options.ways = ways;
  }

  #leads(way: "websocket" | "sse" | "poll"): boolean {
    return this.#options.ways?.includes(way) ?? true;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  /** Every session is closed with `code`; new ones may come. */
  closeAll(code: number, reason = ""): void {
    for (const { socket } of this.sessions) socket.close(code, reason);
    for (const stream of this.streams) {
      stream.push({ event: "closed", code, message: reason, reconnect: code < 3500 });
      stream.end();
    }
  }

  /** Like a killed process: connections break, the port is free. */
  async kill(): Promise<void> {
    for (const { socket } of this.sessions) socket.terminate();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  publish(channel: string, message: unknown): void {
    this.published.push({ channel, message });
    for (const session of this.sessions) {
      if (session.channels.has(channel)) this.#send(session, { event: "message", channel, message });
    }
    for (const stream of this.streams) {
      if (stream.channels.has(channel)) stream.push({ event: "message", channel, message });
    }
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url!, "http://fake");
    if (request.method === "POST" && !this.#options.refusal) {
      this.shown.push(request.headers.authorization);
      void bodyOf(request).then((body) => {
        if (pathname === "/command") this.#request(body, response);
        else this.#stream(body, searchParams.has("wait"), response);
      });
      return;
    }
    const refusal = this.#options.refusal ?? { status: 426, body: { code: "upgrade_required" } };
    response.writeHead(refusal.status, { "Content-Type": "application/problem+json" });
    response.end(JSON.stringify(refusal.body));
  }

  #request({ id, action, payload }: { id: number; action: string; payload: any }, response: ServerResponse): void {
    this.commands.push({ action, payload });
    const intercepted = this.#options.intercept?.(action, payload) ?? "default";
    if (intercepted !== "default" && Object.keys(intercepted).length === 0) return void response.destroy();
    if (action === "publish" && intercepted === "default") this.publish(payload.channel, payload.message);
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ id, ...(intercepted === "default" ? { result: {} } : intercepted) }));
  }

  #stream({ channels, cursor }: any, waits: boolean, response: ServerResponse): void {
    if (!this.#leads(waits ? "poll" : "sse")) return problem(response, 404, "not_found");
    const names = channels.map(({ channel }: { channel: string }) => channel);
    this.commands.push({ action: waits ? "poll" : "stream", payload: names });
    const stream = waits ? pollOf(response, names, cursor) : streamOf(response, names);
    this.streams.add(stream);
    response.on("close", () => this.streams.delete(stream));
  }

  #accept(socket: WebSocket): void {
    const session: Session = { socket, channels: new Set() };
    this.sessions.add(session);
    ++this.#sessionsEver;
    socket.on("message", (data) => this.#command(session, JSON.parse(String(data))));
    socket.on("close", () => {
      clearInterval(session.heartbeat);
      this.sessions.delete(session);
    });
  }

  #send(session: Session, message: object): void {
    if (!this.silent) session.socket.send(JSON.stringify(message));
  }

  #command(session: Session, { id, action, payload }: { id: number; action: string; payload: any }): void {
    if (this.silent) return;
    this.commands.push({ action, payload });
    const intercepted = this.#options.intercept?.(action, payload) ?? "default";
    if (intercepted !== "default") {
      if (Object.keys(intercepted).length > 0) this.#send(session, { id, ...intercepted });
      return;
    }
    this.#send(session, { id, result: this.#do(session, action, payload) });
    if (action === "publish") this.publish(payload.channel, payload.message);
  }

  #do(session: Session, action: string, payload: any): object {
    const { heartbeatMs = 25_000, name = "fake" } = this.#options;
    switch (action) {
      case "connect":
        if (payload.heartbeat) {
          session.heartbeat = setInterval(() => {
            ++this.heartbeats;
            this.#send(session, { event: "heartbeat" });
          }, heartbeatMs);
        }
        return { session: `s${this.#sessionsEver}`, gateway: name, heartbeat_ms: heartbeatMs, limits: {} };
      case "subscribe":
        session.channels.add(payload.channel);
        return { channel: payload.channel };
      case "unsubscribe":
        session.channels.delete(payload.channel);
        return { channel: payload.channel };
      default:
        return {};
    }
  }
}
