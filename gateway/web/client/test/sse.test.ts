import { expect, it } from "vitest";
import { EventReader } from "../src/sse.ts";

const kStream =
  ": hello\n\nid: 7\ndata: {\"a\":1}\n\nretry: 100\n\nevent: x\r\ndata:two\r\ndata: lines\r\n\r\ndata: last\n\ndata: cut off";
const kEvents = [undefined, '{"a":1}', "two\nlines", "last"];

it("reads events, whatever the pieces are that they come in", () => {
  for (let size = 1; size <= kStream.length; ++size) {
    const reader = new EventReader();
    const events = [];
    for (let at = 0; at < kStream.length; at += size) events.push(...reader.read(kStream.slice(at, at + size)));
    expect(events, `in pieces of ${size}`).toEqual(kEvents);
  }
});

it("reads lines that end in a carriage return only", () => {
  const reader = new EventReader();
  expect([...reader.read("data: a\r\r"), ...reader.read(":\r:")]).toEqual(["a", undefined]);
});
