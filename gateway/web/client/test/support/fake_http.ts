// The HTTP faces of the fake gateway: commands as requests, and streams of channels that keep no log,
// as events or as polls.
import type { IncomingMessage, ServerResponse } from "node:http";

export interface HttpSession {
  channels: Set<string>;
  /** Sends one push; a poll is answered by it. */
  push(event: object): void;
  end(): void;
}

export async function bodyOf(request: IncomingMessage): Promise<any> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return JSON.parse(Buffer.concat(pieces).toString() || "{}");
}

export function problem(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { "Content-Type": "application/problem+json" });
  response.end(JSON.stringify({ code, detail: code, status, temporary: status >= 500 }));
}

export function streamOf(response: ServerResponse, channels: string[]): HttpSession {
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  response.write(":\n\n");
  const push = (event: object) => void response.write(`data: ${JSON.stringify(event)}\n\n`);
  for (const channel of channels) push({ event: "subscribed", channel });
  return { channels: new Set(channels), push, end: () => void response.end() };
}

export function pollOf(response: ServerResponse, channels: string[], cursor?: string): HttpSession {
  const answer = (events: object[]) => {
    if (response.writableEnded) return;
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ events, cursor: String(Number(cursor ?? 0) + 1) }));
  };
  if (cursor === undefined) answer(channels.map((channel) => ({ event: "subscribed", channel })));
  return { channels: new Set(channels), push: (event) => answer([event]), end: () => answer([]) };
}
