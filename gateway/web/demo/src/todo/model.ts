// What a to-do list is made of, and how two versions of an item become one: a tick here and a new
// wording there go together; two wordings are for a person to choose from.
import type { Conflict, Decision, DocumentState } from "../../../client/src/sync/index.ts";
import { mergeMembers } from "../../../client/src/sync/index.ts";

export interface Todo {
  text: string;
  done: boolean;
}

export const kTextMax = 200;

/** What may come from anywhere, as an item; undefined when it is none. */
export function todoOf(value: unknown): Todo | undefined {
  const { text, done } = (value ?? {}) as Record<string, unknown>;
  return typeof text === "string" ? { text: text.slice(0, kTextMax), done: done === true } : undefined;
}

const byMember = mergeMembers("later");

export function mergeTodos(conflict: Conflict): Decision | Promise<Decision> {
  return byMember(conflict as Conflict<Record<string, unknown>>);
}

/** One line, not empty. */
export function tidyText(text: string): string | undefined {
  return text.replace(/\s+/g, " ").trim().slice(0, kTextMax) || undefined;
}

/** A list's name, as it may stand in an address. */
export function listName(asked: string | null): string {
  return (asked ?? "").replace(/[^\p{L}\p{N} _-]/gu, "").trim().slice(0, 40) || "shared";
}

/** What is said about the list as a whole. */
export function countOf(todos: readonly Todo[]): string {
  const open = todos.filter(({ done }) => !done).length;
  if (todos.length === 0) return "";
  return open === 0 ? "All done" : `${open} of ${todos.length} to do`;
}

export interface Standing {
  paused: boolean;
  connected: boolean;
  statuses: readonly DocumentState<unknown>["status"][];
}

/** The words beside the dot, and what the dot is like. */
export function standingOf({ paused, connected, statuses }: Standing): { state: string; words: string } {
  const waiting = statuses.filter((status) => status === "pending" || status === "refused").length;
  const conflicts = statuses.filter((status) => status === "conflict").length;
  const changes = `${waiting} ${waiting === 1 ? "change" : "changes"}`;
  if (paused) return { state: "connecting", words: waiting ? `Offline, ${changes} kept` : "Working offline" };
  if (!connected) return { state: "waiting", words: waiting ? `No connection, ${changes} kept` : "No connection" };
  if (statuses.includes("loading")) return { state: "connecting", words: "Loading" };
  if (conflicts) return { state: "connecting", words: `${conflicts} to decide` };
  return waiting ? { state: "connecting", words: `Sending ${changes}` } : { state: "connected", words: "In step" };
}
