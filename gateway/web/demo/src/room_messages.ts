// What the tabs tell each other in `demo:room`. Anyone may publish there, from a terminal or with
// curl as well, so whatever arrives is taken for what it looks like, and trusted with nothing.
import { tidyName } from "./identity.ts";

export type RoomMessage =
  /** I am here; `ask` wants everyone else to say the same. */
  | { type: "here"; id: string; name: string; gateway: string; ask: boolean }
  | { type: "gone"; id: string }
  | { type: "say"; id: string; name: string; text: string }
  | { type: "ring"; id: string; name: string };

/** Who speaks when no tab does. */
export const kOutsider = { id: "outside", name: "From outside" };
const kTextMax = 2000;

export function parseRoomMessage(message: unknown): RoomMessage {
  if (typeof message === "object" && message !== null) {
    const { type, id, name, text, gateway, ask } = message as Record<string, unknown>;
    const who = typeof id === "string" && id.length <= 64 ? id : undefined;
    const called = typeof name === "string" ? tidyName(name) : undefined;
    if (type === "here" && who && called) {
      return { type, id: who, name: called, gateway: String(gateway ?? "").slice(0, 64), ask: ask === true };
    }
    if (type === "gone" && who) return { type, id: who };
    if (type === "ring") return { type, id: who ?? kOutsider.id, name: called ?? kOutsider.name };
    if (typeof text === "string") {
      return { type: "say", id: who ?? kOutsider.id, name: called ?? kOutsider.name, text: short(text) };
    }
  }
  const text = typeof message === "string" ? message : JSON.stringify(message) ?? String(message);
  return { type: "say", ...kOutsider, text: short(text) };
}

function short(text: string): string {
  return text.length > kTextMax ? `${text.slice(0, kTextMax)} …` : text;
}
