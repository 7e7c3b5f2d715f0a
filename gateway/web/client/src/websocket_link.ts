// One WebSocket, heard by one listener until it is closed here or there.
import type { WebSocketClass, WebSocketLike } from "./types.ts";
import { kSubprotocol } from "./wire.ts";

export interface LinkListener {
  opened(): void;
  text(text: unknown): void;
  /** Once, and nothing after it. */
  closed(code: number, reason: string): void;
}

export class WebSocketLink {
  readonly #socket: WebSocketLike;

  /** Throws what the class throws, for an address that can't be. */
  constructor(url: string, Class: WebSocketClass, listener: LinkListener) {
    let failure = "";
    const socket = (this.#socket = new Class(url, [kSubprotocol]));
    socket.onopen = () => listener.opened();
    socket.onmessage = ({ data }) => listener.text(data);
    socket.onerror = ({ message = "" }) => void (failure = message);
    socket.onclose = ({ code, reason }) => listener.closed(code, String(reason) || failure);
  }

  send(text: string): void {
    this.#socket.send(text);
  }

  close(): void {
    const socket = this.#socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.onerror = () => {};
    socket.close(1000);
  }
}

/** Whether a WebSocket can be made and answers. */
export function tryWebSocket(url: string, Class: WebSocketClass, within: number): Promise<boolean> {
  return new Promise((resolve) => {
    let link: WebSocketLink | undefined;
    const end = (works: boolean) => {
      clearTimeout(late);
      link?.close();
      resolve(works);
    };
    const late = setTimeout(() => end(false), within);
    try {
      link = new WebSocketLink(url, Class, {
        opened: () => link!.send('{"id":1,"action":"ping","payload":{}}'),
        text: () => end(true),
        closed: () => end(false),
      });
    } catch {
      end(false);
    }
  });
}
