// A gateway small enough for the client's tests: real sockets, the real protocol, no channel log.
// It can fall silent, refuse handshakes and die, which is what the tests are about.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer, type WebSocket } from "ws";

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
      const refusal = options.refusal;
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


  get url(): string {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  /** Every session is closed with `code`; new ones may come. */
  closeAll(code: number, reason = ""): void {
    for (const { socket } of this.sessions) socket.close(code, reason);
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
  }

  #answer(_request: IncomingMessage, response: ServerResponse): void {
    const refusal = this.#options.refusal ?? { status: 426, body: { code: "upgrade_required" } };
    response.writeHead(refusal.status, { "Content-Type": "application/problem+json" });
    response.end(JSON.stringify(refusal.body));
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
