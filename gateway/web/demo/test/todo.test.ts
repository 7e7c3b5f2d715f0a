// What a to-do list is made of, and what is said about it.
import { describe, expect, it } from "vitest";
import { countOf, listName, mergeTodos, standingOf, tidyText, todoOf } from "../src/todo/model.ts";

const milk = { text: "milk", done: false };
const conflict = (mine: object | undefined, theirs: object | undefined) =>
  ({ uri: "a", base: milk, mine, theirs, unsure: false });

describe("an item", () => {
  it("is read from whatever comes", () => {
    expect(todoOf({ text: "x", done: true, more: 1 })).toEqual({ text: "x", done: true });
    expect(todoOf({ text: "x", done: "yes" })).toEqual({ text: "x", done: false });
    for (const other of [undefined, null, 1, "x", [], { done: true }]) expect(todoOf(other)).toBeUndefined();
    expect(todoOf({ text: "y".repeat(900) })!.text).toHaveLength(200);
  });

  it("is one line", () => {
    expect(tidyText(" two\n words ")).toBe("two words");
    expect(tidyText(" \t")).toBeUndefined();
  });

  it("changed on both sides is merged where that can be, and a person's choice where not", () => {
    expect(mergeTodos(conflict({ ...milk, done: true }, { ...milk, text: "oat milk" })))
      .toEqual({ value: { text: "oat milk", done: true } });
    expect(mergeTodos(conflict({ ...milk, text: "soy milk" }, { ...milk, text: "oat milk" }))).toBe("later");
    expect(mergeTodos(conflict(undefined, { ...milk, text: "oat milk" }))).toBe("later");
    expect(mergeTodos(conflict({ ...milk, done: true }, undefined))).toBe("later");
  });
});

describe("a list", () => {
  it("has a name that may stand in an address", () => {
    expect(listName("Größe 5_x-y")).toBe("Größe 5_x-y");
    expect(listName("../a:b")).toBe("ab");
    for (const none of [null, "", " :/ "]) expect(listName(none)).toBe("shared");
  });

  it("is counted in words", () => {
    expect(countOf([])).toBe("");
    expect(countOf([milk, { ...milk, done: true }])).toBe("1 of 2 to do");
    expect(countOf([{ ...milk, done: true }])).toBe("All done");
  });

  it("says how it stands", () => {
    const words = (paused: boolean, connected: boolean, ...statuses: ("loading" | "synced" | "pending" | "conflict" | "refused")[]) =>
      standingOf({ paused, connected, statuses });
    expect(words(false, true, "synced")).toEqual({ state: "connected", words: "In step" });
    expect(words(false, true, "loading", "synced").words).toBe("Loading");
    expect(words(false, true, "pending", "refused").words).toBe("Sending 2 changes");
    expect(words(false, true, "conflict", "pending").words).toBe("1 to decide");
    expect(words(false, false, "pending").words).toBe("No connection, 1 change kept");
    expect(words(true, true, "pending").words).toBe("Offline, 1 change kept");
    expect(words(true, false).words).toBe("Working offline");
  });
});
