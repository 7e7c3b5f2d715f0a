import { describe, expect, it } from "vitest";
import { TransportChoice } from "../src/transport_choice.ts";
import { MachineHarness } from "./support/machine_harness.ts";
import { PealError } from "../src/errors.ts";

describe("the choice of a transport", () => {
  it("gives a WebSocket a second try, then goes down, and round", () => {
    const choice = new TransportChoice(["websocket", "sse", "poll"]);
    expect(choice.lookAfter).toBeUndefined();
    const taken = [];
    for (let i = 0; i < 5; ++i) {
      choice.blocked();
      taken.push(choice.current);
    }
    expect(taken).toEqual(["websocket", "sse", "poll", "websocket", "websocket"]);
  });

  it("counts failures in a row only", () => {
    const choice = new TransportChoice(["websocket", "sse"]);
    for (let i = 0; i < 5; ++i) {
      expect(choice.blocked()).toBe(false);
      choice.works();
    }
    expect(choice.current).toBe("websocket");
  });

  it("goes back up when a WebSocket was seen to work, and looks more and more rarely", () => {
    const choice = new TransportChoice(["websocket", "sse", "poll"]);
    choice.blocked();
    choice.blocked();
    const waits = Array.from({ length: 6 }, () => (choice.looked(false), choice.lookAfter));
    expect(waits).toEqual([120_000, 240_000, 480_000, 600_000, 600_000, 600_000]);
    expect(choice.looked(true)).toBe(true);
    expect(choice.current).toBe("websocket");
  });

  it("tries a stream again from long-poll", () => {
    const choice = new TransportChoice(["sse", "poll"]);
    choice.blocked();
    expect([choice.current, choice.looked(false), choice.current]).toEqual(["poll", true, "sse"]);
  });
});

describe("the session", () => {
  const kBlocked = new PealError("connection_refused", "it answers, but no WebSocket can be made", true);

  function overHttp(): MachineHarness {
    const machine = new MachineHarness();
    machine.feed({ on: "start" });
    for (let i = 0; i < 2; ++i) {
      if (i > 0) machine.fire("retry");
      machine.feed({ on: "closed", code: 1006, reason: "" });
      machine.feed({ on: "diagnosed", error: kBlocked });
    }
    machine.feed({ on: "opened" });
    machine.feed({ on: "identified" });
    const replied = { id: machine.last("ping").id, result: {} };
    machine.feed({ on: "replied", text: JSON.stringify(replied) });
    return machine;
  }

  it("goes over HTTP at once when HTTP is answered and WebSockets fail", () => {
    const machine = overHttp();
    expect(machine.of("open").map(({ transport }) => transport)).toEqual(["websocket", "websocket", "sse"]);
    expect(machine.state).toMatchObject({ name: "connected", transport: "sse" });
  });

  it("goes on to polls when the stream is held up", () => {
    const machine = overHttp();
    machine.feed({ on: "subscribe", channel: "a" });
    machine.fire("follow");
    expect(machine.of("follow").at(-1)!.channels).toEqual([{ channel: "a" }]);
    machine.fire("stream");
    expect(machine.of("open").at(-1)!.transport).toBe("poll");
  });

  it("looks for a WebSocket later, and goes back to it with its positions", () => {
    const machine = overHttp();
    machine.feed({ on: "subscribe", channel: "a" });
    machine.fire("follow");
    machine.text({ event: "subscribed", channel: "a", epoch: "epoch001", offset: 7 });
    machine.fire("better");
    expect(machine.of("look")).toHaveLength(1);
    machine.feed({ on: "looked", works: false });
    expect(machine.timers.get("better")).toBe(120_000);
    machine.fire("better");
    machine.feed({ on: "looked", works: true });
    machine.connect();
    expect(machine.state).toMatchObject({ name: "connected", transport: "websocket", again: true });
    expect(machine.last("subscribe").payload).toEqual({ channel: "a", since: { epoch: "epoch001", offset: 7 } });
  });

  it("asks for the whole anew when a message is missing, and delivers everything once", () => {
    const machine = overHttp();
    machine.feed({ on: "subscribe", channel: "a" });
    machine.fire("follow");
    machine.text({ event: "subscribed", channel: "a", epoch: "epoch001", offset: 7 });
    machine.text({ event: "message", channel: "a", offset: 8, message: 8 });
    machine.text({ event: "message", channel: "a", offset: 10, message: 10 });
    machine.text({ event: "message", channel: "a", offset: 11, message: 11 });
    machine.fire("follow");
    expect(machine.of("follow").at(-1)!.channels).toEqual([{ channel: "a", since: { epoch: "epoch001", offset: 8 } }]);
    const publications = [9, 10, 11].map((offset) => ({ offset, message: offset }));
    machine.text({ event: "subscribed", channel: "a", epoch: "epoch001", offset: 11, recovered: true, publications });
    expect(machine.of("deliver").map(({ publication }) => publication.message)).toEqual([8, 9, 10, 11]);
    expect(machine.of("channel").map(({ state }) => state.name)).toEqual(["subscribing", "subscribed"]);
  });

  it("refuses only the new channel when the request is refused for it", () => {
    const machine = overHttp();
    machine.feed({ on: "subscribe", channel: "a" });
    machine.fire("follow");
    machine.text({ event: "subscribed", channel: "a" });
    machine.feed({ on: "subscribe", channel: "bad" });
    machine.fire("follow");
    machine.feed({ on: "refused", error: new PealError("channel_name_invalid", "no name") });
    expect(machine.of("channel").at(-1)).toMatchObject({ channel: "bad", state: { name: "closed" } });
    machine.fire("follow");
    expect(machine.of("follow").at(-1)!.channels).toEqual([{ channel: "a" }]);
    expect(machine.state.name).toBe("connected");
  });

  it("ends for good when the token is refused, over HTTP too", () => {
    const machine = overHttp();
    machine.feed({ on: "subscribe", channel: "a" });
    machine.fire("follow");
    machine.feed({ on: "refused", error: new PealError("token_invalid", "unknown") });
    expect(machine.state).toMatchObject({ name: "closed", error: { code: "token_invalid" } });
  });

  it("follows polls by their cursor, and asks anew when the wishes change", () => {
    const machine = overHttp();
    machine.feed({ on: "subscribe", channel: "a" });
    machine.fire("follow");
    machine.fire("stream");
    machine.feed({ on: "opened" });
    machine.feed({ on: "identified" });
    machine.feed({ on: "replied", text: JSON.stringify({ id: machine.last("ping").id, result: {} }) });
    machine.fire("follow");
    machine.text({ event: "subscribed", channel: "a" });
    machine.feed({ on: "polled", cursor: "c1" });
    expect(machine.of("follow").at(-1)).toMatchObject({ channels: [{ channel: "a" }], cursor: "c1" });
    machine.feed({ on: "subscribe", channel: "b" });
    machine.fire("follow");
    expect(machine.of("follow").at(-1)!.channels.map(({ channel }) => channel)).toEqual(["a", "b"]);
    expect(machine.of("follow").at(-1)!.cursor).toBeUndefined();
  });
});
