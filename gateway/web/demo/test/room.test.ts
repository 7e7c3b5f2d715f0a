import { describe, expect, it } from "vitest";
import { hueOf, initials, inventName, tidyName } from "../src/identity.ts";
import { kOutsider, parseRoomMessage } from "../src/room_messages.ts";
import { kGoneAfter, Roster } from "../src/roster.ts";

describe("names", () => {
  it("are invented of two words, and shortened to their initials", () => {
    for (let i = 0; i < 100; ++i) {
      const name = inventName();
      expect(name).toMatch(/^[A-Z][a-z]+ [A-Z][a-z]+$/);
      expect(tidyName(name)).toBe(name);
      expect(initials(name)).toMatch(/^[A-Z]{2}$/);
    }
    expect([initials("anna"), initials("a b c"), initials("")]).toEqual(["A", "AC", "?"]);
  });

  it("are one line of at most 32 characters, or none", () => {
    expect(tidyName("  a \n\t b\u0007 ")).toBe("a b");
    expect(tidyName("\u202e \n")).toBeUndefined();
    expect([...tidyName("🔔".repeat(50))!]).toHaveLength(32);
  });

  it("have a colour that depends on the person alone", () => {
    expect(hueOf("x")).toBe(hueOf("x"));
    expect(new Set(["a", "b", "c", "d", "e"].map(hueOf)).size).toBe(5);
  });
});

describe("what arrives in the room", () => {
  it("is what a tab says", () => {
    expect(parseRoomMessage({ type: "here", id: "1", name: "A", gateway: "g", ask: true }))
      .toEqual({ type: "here", id: "1", name: "A", gateway: "g", ask: true });
    expect(parseRoomMessage({ type: "gone", id: "1" })).toEqual({ type: "gone", id: "1" });
    expect(parseRoomMessage({ type: "ring" })).toEqual({ type: "ring", ...kOutsider });
  });

  it("or anything at all from a terminal", () => {
    for (const [message, text] of [
      ["hello", "hello"], [7, "7"], [null, "null"], [{ text: "hi" }, "hi"], [[1, 2], "[1,2]"],
      [{ type: "here" }, '{"type":"here"}'], [undefined, "undefined"],
    ] as const) {
      expect(parseRoomMessage(message), String(text)).toMatchObject({ type: "say", ...kOutsider });
      expect(String((parseRoomMessage(message) as { text: string }).text)).toBe(text);
    }
  });

  it("cannot be too long, nor come from a nameless or endless id", () => {
    const long = parseRoomMessage("x".repeat(5000)) as { text: string };
    expect(long.text.length).toBeLessThan(2010);
    expect(parseRoomMessage({ type: "here", id: "i".repeat(65), name: "A" }).type).toBe("say");
    expect(parseRoomMessage({ type: "say", id: "1", name: "  ", text: "t" }))
      .toEqual({ type: "say", id: "1", name: kOutsider.name, text: "t" });
  });
});

describe("the roster", () => {
  const person = (id: string, name: string) => ({ id, name, gateway: "g" });

  it("tells who is new, and puts oneself first", () => {
    const roster = new Roster();
    expect(roster.heard(person("2", "Berta"), 0)).toBe(true);
    expect(roster.heard(person("1", "Zoe"), 0)).toBe(true);
    expect(roster.heard(person("3", "Anna"), 0)).toBe(true);
    expect(roster.heard(person("3", "Anne"), 5)).toBe(false);
    expect(roster.people("1").map(({ name }) => name)).toEqual(["Zoe", "Anne", "Berta"]);
  });

  it("forgets those who said goodbye and those not heard for long, but not oneself", () => {
    const roster = new Roster();
    for (const id of ["me", "silent", "left"]) roster.heard(person(id, id), 0);
    roster.heard(person("here", "here"), kGoneAfter);
    expect(roster.left("left")!.name).toBe("left");
    expect(roster.left("left")).toBeUndefined();
    expect(roster.sweep(kGoneAfter, "me")).toBe(false);
    expect(roster.sweep(kGoneAfter + 1, "me")).toBe(true);
    expect(roster.people("me").map(({ id }) => id)).toEqual(["me", "here"]);
  });
});
