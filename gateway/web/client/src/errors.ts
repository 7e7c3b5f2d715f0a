// What can go wrong, as one type. `code` is a name from the server's table of error codes, or one
// of the names below that only the client can know; `temporary` says whether trying again may help.

/** Codes that the client itself gives; every other code comes from the server. */
export type LocalCode =
  /** The link broke, or could not be made; the client tries again. */
  | "connection_lost"
  /** No server answered within the deadline; the client tries again. */
  | "connect_timeout"
  /** The link is up, but nothing comes over it any more; the client tries again. */
  | "link_silent"
  /** The server answers over HTTP, but the WebSocket was refused on the way. */
  | "connection_refused"
  /** A publish was on its way when the link broke: it may or may not have happened. */
  | "publish_outcome_unknown"
  /** Not connected, and this command does not wait for it. */
  | "not_connected"
  /** More than `queueMax` publishes wait for the connection. */
  | "queue_full"
  /** The message cannot be written as JSON. */
  | "message_invalid"
  /** Nobody read a subscription's publications, and its buffer is full. */
  | "buffer_full"
  /** The AbortSignal of a publish fired before the publish was sent. */
  | "aborted"
  /** The application closed the client or the subscription. */
  | "client_closed"
  /** The option cannot be used here. */
  | "option_invalid";

export class PealError extends Error {
  override readonly name = "PealError";
  readonly code: LocalCode | (string & {});
  /** Whether the same thing, done again later, may succeed. */
  readonly temporary: boolean;
  /** The WebSocket close code, when that is what ended the link. */
  readonly closeCode?: number;

  constructor(code: LocalCode | (string & {}), message: string, temporary = false, closeCode?: number) {
    super(message);
    this.code = code;
    this.temporary = temporary;
    if (closeCode !== undefined) this.closeCode = closeCode;
  }
}
