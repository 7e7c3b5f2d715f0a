// peal.json.v1 as text: one JSON object a message. Encoding puts a message's JSON in as it is, so
// that it is written once, when the application hands it over.
import { PealError } from "./errors.ts";

export const kSubprotocol = "peal.json.v1";

/** What arrives: a reply has an `id`, a push an `event`. Everything else is up to the event. */
export interface Incoming {
  id?: number;
  result?: any;
  error?: { code: string; message: string; temporary?: boolean };
  event?: string;
  channel?: string;
  [field: string]: any;
}

/** `payload` is JSON text already. */
export function encodeCommand(id: number, action: string, payload: string): string {
  return `{"id":${id},"action":"${action}","payload":${payload}}`;
}

/** The payload of a publish. Throws `message_invalid` for what JSON cannot hold. */
export function encodePublish(target: object, message: unknown, options: object): string {
  let json: string | undefined;
  let cause = "";
  try {
    json = JSON.stringify(message);
  } catch (error) {
    cause = `: ${(error as Error).message}`;
  }
  if (json === undefined) {
    throw new PealError("message_invalid", `the message cannot be written as JSON${cause}`);
  }
  return `${JSON.stringify({ ...target, ...options }).slice(0, -1)},"message":${json}}`;
}

/** Undefined for what is not an object of this protocol. */
export function decode(text: unknown): Incoming | undefined {
  try {
    const value = JSON.parse(text as string);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

export function errorOf(wire: Record<string, any>): PealError {
  const code = String(wire.code ?? "internal_error");
  return new PealError(code, String(wire.message ?? code), wire.temporary === true);
}
