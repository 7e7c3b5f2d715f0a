import { describe, expect, it } from "vitest";
import { MachineHarness } from "./support/machine_harness.ts";

function subscribed(result: object = { channel: "a" }): MachineHarness {
  const machine = new MachineHarness().connect();
  machine.feed({ on: "subscribe", channel: "a" });
  machine.reply("subscribe", { result });
  return machine;
}

function comeBack(machine: MachineHarness): void {
  machine.feed({ on: "closed", code: 1006, reason: "" });
  machine.fire("retry");
  machine.connect();
}

const lastState = (machine: MachineHarness) => machine.of("channel").at(-1)!.state;

describe("subscribing", () => {
  it("asks when connected, before what is to be published", () => {
    const machine = new MachineHarness();
    machine.feed({ on: "start" });
    machine.publish(1);
    machine.feed({ on: "subscribe", channel: "a" });
    machine.connect();
    expect(machine.sent.map(({ action }) => action)).toEqual(["connect", "subscribe", "publish"]);
    machine.reply("subscribe", { result: { channel: "a" } });
    expect(lastState(machine)).toEqual({ name: "subscribed", again: false });
  });

  it("delivers messages of a channel that keeps no log, as they are", () => {
    const machine = subscribed();
    machine.text({ event: "message", channel: "a", message: { x: 1 }, key: "k" });
    expect(machine.of("deliver")).toEqual([
      { do: "deliver", channel: "a", publication: { channel: "a", message: { x: 1 }, key: "k" } },
    ]);
  });

  it("is asked for again after an interruption, and says so", () => {
    const machine = subscribed();
    machine.feed({ on: "closed", code: 1012, reason: "restarting" });
    expect(lastState(machine)).toMatchObject({ name: "subscribing", error: { code: "restarting" } });
    machine.fire("retry");
    machine.connect();
    expect(machine.count("subscribe")).toBe(2);
    expect(machine.last("subscribe").payload).toEqual({ channel: "a" });
    machine.reply("subscribe", { result: { channel: "a" } });
    expect(lastState(machine)).toMatchObject({ name: "subscribed", again: true });
  });

  it("ends when it is refused for good", () => {
    const machine = new MachineHarness().connect();
    machine.feed({ on: "subscribe", channel: "a" });
    machine.reply("subscribe", { error: { code: "permission_denied", message: "no", temporary: false } });
    expect(lastState(machine)).toMatchObject({ name: "closed", error: { code: "permission_denied" } });
    comeBack(machine);
    expect(machine.count("subscribe")).toBe(1);
  });

  it("is tried again, later and later, when it is refused for the time being", () => {
    const machine = new MachineHarness({}, () => 1).connect();
    machine.feed({ on: "subscribe", channel: "a" });
    const waits = [];
    for (let i = 0; i < 3; ++i) {
      machine.reply("subscribe", { error: { code: "not_ready", message: "wait", temporary: true } });
      expect(lastState(machine)).toMatchObject({ name: "subscribing", error: { code: "not_ready" } });
      waits.push(machine.timers.get("resubscribe"));
      machine.fire("resubscribe");
    }
    expect(waits).toEqual([500, 1000, 2000]);
    machine.reply("subscribe", { result: { channel: "a" } });
    expect(lastState(machine)).toMatchObject({ name: "subscribed", again: false });
  });

  it("asks for 10,000 channels within the window of unanswered commands", () => {
    const machine = new MachineHarness().connect();
    for (let i = 0; i < 10_000; ++i) machine.feed({ on: "subscribe", channel: `c${i}` });
    let answered = 0;
    while (answered < machine.count("subscribe") && answered < 40) {
      expect(machine.count("subscribe") - answered).toBeLessThanOrEqual(16);
      const asked = machine.sent.filter(({ action }) => action === "subscribe")[answered++]!;
      machine.text({ id: asked.id, result: { channel: asked.payload.channel } });
    }
    expect(machine.count("subscribe")).toBe(56);
  });
});

describe("leaving", () => {
  it("tells the server and delivers nothing any more", () => {
    const machine = subscribed();
    machine.feed({ on: "unsubscribe", channel: "a" });
    expect(machine.last("unsubscribe").payload).toEqual({ channel: "a" });
    machine.text({ event: "message", channel: "a", message: 1 });
    expect(machine.of("deliver")).toHaveLength(0);
    machine.reply("unsubscribe");
    comeBack(machine);
    expect(machine.count("subscribe")).toBe(1);
  });

  it("before the server was asked, asks nothing at all", () => {
    const machine = new MachineHarness();
    machine.feed({ on: "start" });
    machine.feed({ on: "subscribe", channel: "a" });
    machine.feed({ on: "unsubscribe", channel: "a" });
    machine.connect();
    expect(machine.sent.map(({ action }) => action)).toEqual(["connect"]);
  });

  it("while the server is asked, waits for its answer first", () => {
    const machine = new MachineHarness().connect();
    machine.feed({ on: "subscribe", channel: "a" });
    machine.feed({ on: "unsubscribe", channel: "a" });
    expect(machine.count("unsubscribe")).toBe(0);
    machine.reply("subscribe", { result: { channel: "a" } });
    expect(machine.count("unsubscribe")).toBe(1);
    expect(machine.of("channel").some(({ state }) => state.name === "subscribed")).toBe(false);
  });

  it("and coming again at once leaves first, so that the new beginning counts", () => {
    const machine = new MachineHarness().connect();
    machine.feed({ on: "subscribe", channel: "a" });
    machine.feed({ on: "unsubscribe", channel: "a" });
    machine.feed({ on: "subscribe", channel: "a", wish: { since: "start" } });
    machine.reply("subscribe", { result: { channel: "a" } });
    machine.text({ event: "message", channel: "a", message: "of the old one" });
    machine.reply("unsubscribe");
    expect(machine.sent.slice(1).map(({ action }) => action)).toEqual(["subscribe", "unsubscribe", "subscribe"]);
    expect(machine.last("subscribe").payload).toEqual({ channel: "a", since: "start" });
    machine.reply("subscribe", { result: { channel: "a" } });
    expect(lastState(machine)).toMatchObject({ name: "subscribed", again: false });
    expect(machine.of("deliver")).toHaveLength(0);
  });

  it("and coming again while the server is told of it asks once more", () => {
    const machine = subscribed();
    machine.feed({ on: "unsubscribe", channel: "a" });
    machine.feed({ on: "subscribe", channel: "a" });
    expect(machine.count("subscribe")).toBe(1);
    machine.reply("unsubscribe");
    expect(machine.count("subscribe")).toBe(2);
  });

  it("by the server's decision: ends, or is asked for again if that is temporary", () => {
    for (const temporary of [false, true]) {
      const machine = subscribed();
      const event = { event: "unsubscribed", channel: "a", code: "overloaded", message: "out", temporary };
      machine.text(event);
      expect(lastState(machine)).toMatchObject({
        name: temporary ? "subscribing" : "closed", error: { code: "overloaded" },
      });
      if (temporary) machine.fire("resubscribe");
      expect(machine.count("subscribe")).toBe(temporary ? 2 : 1);
    }
  });
});

describe("positions of a recoverable channel", () => {
  it("begin at the subscribe result, follow what is delivered, and are where it comes back", () => {
    const machine = subscribed({ channel: "a", epoch: "e1", offset: 41 });
    expect(lastState(machine)).toMatchObject({ position: { epoch: "e1", offset: 41 } });
    machine.text({ event: "message", channel: "a", offset: 42, message: "x" });
    expect(machine.of("deliver").at(-1)!.publication.position).toEqual({ epoch: "e1", offset: 42 });
    machine.text({ event: "message", channel: "a", offset: 50, after: 49, message: "y" });
    machine.text({ event: "position", channel: "a", offset: 53, after: 50 });
    comeBack(machine);
    expect(machine.last("subscribe").payload.since).toEqual({ epoch: "e1", offset: 53 });
  });

  it("move with the recovered publications, so that an interrupted recovery misses nothing", () => {
    const machine = subscribed({ channel: "a", epoch: "e1", offset: 10 });
    comeBack(machine);
    machine.reply("subscribe", {
      result: {
        channel: "a", epoch: "e1", offset: 12, recovered: true,
        publications: [{ offset: 11, message: "k" }, { offset: 12, message: "l" }],
      },
    });
    expect(lastState(machine)).toMatchObject({ name: "subscribed", again: true, recovered: true });
    expect(machine.of("deliver").map(({ publication }) => publication)).toEqual([
      { channel: "a", message: "k", position: { epoch: "e1", offset: 11 } },
      { channel: "a", message: "l", position: { epoch: "e1", offset: 12 } },
    ]);
    comeBack(machine);
    expect(machine.last("subscribe").payload.since).toEqual({ epoch: "e1", offset: 12 });
  });

  it("go on from the new one when the past is gone, and the application is told", () => {
    const machine = subscribed({ channel: "a", epoch: "e1", offset: 10 });
    comeBack(machine);
    machine.reply("subscribe", { result: { channel: "a", epoch: "e2", offset: 3, recovered: false } });
    expect(lastState(machine)).toMatchObject({ recovered: false, position: { epoch: "e2", offset: 3 } });
    expect(machine.of("reset")).toEqual([{ do: "reset", channel: "a", position: { epoch: "e2", offset: 3 } }]);
    machine.text({ event: "reset", channel: "a", epoch: "e3", offset: 7 });
    expect(machine.of("reset")[1]).toEqual({ do: "reset", channel: "a", position: { epoch: "e3", offset: 7 } });
    comeBack(machine);
    expect(machine.last("subscribe").payload.since).toEqual({ epoch: "e3", offset: 7 });
  });

  it("begin at nothing when all of it is asked for", () => {
    const machine = new MachineHarness().connect();
    machine.feed({ on: "subscribe", channel: "a", wish: { since: "start" } });
    machine.reply("subscribe", {
      result: { channel: "a", epoch: "e1", offset: 1, publications: [{ offset: 1, message: 1 }] },
    });
    comeBack(machine);
    expect(machine.last("subscribe").payload.since).toEqual({ epoch: "e1", offset: 1 });
  });

  it("are forgotten when the application subscribes anew", () => {
    const machine = subscribed({ channel: "a", epoch: "e1", offset: 10 });
    machine.feed({ on: "unsubscribe", channel: "a" });
    machine.reply("unsubscribe");
    machine.feed({ on: "subscribe", channel: "a" });
    expect(machine.last("subscribe").payload).toEqual({ channel: "a" });
  });
});

describe("a message that is missing", () => {
  function behind(): MachineHarness {
    const machine = subscribed({ channel: "a", epoch: "e1", offset: 10 });
    machine.text({ event: "message", channel: "a", offset: 11, message: 11 });
    return machine;
  }

  function repair(machine: MachineHarness, offsets: number[]): void {
    machine.reply("unsubscribe");
    expect(machine.last("subscribe").payload).toEqual({ channel: "a", since: { epoch: "e1", offset: 11 } });
    const publications = offsets.map((offset) => ({ offset, message: offset }));
    const offset = offsets.at(-1) ?? 11;
    machine.reply("subscribe", { result: { channel: "a", epoch: "e1", offset, recovered: true, publications } });
  }

  it("is noticed by the next one's offset, and fetched before that is delivered, without a word", () => {
    const machine = behind();
    machine.text({ event: "message", channel: "a", offset: 13, message: 13 });
    machine.text({ event: "message", channel: "a", offset: 14, message: 14 });
    repair(machine, [12, 13, 14]);
    machine.text({ event: "message", channel: "a", offset: 15, message: 15 });
    expect(machine.of("deliver").map(({ publication }) => publication.message)).toEqual([11, 12, 13, 14, 15]);
    expect(machine.of("channel").map(({ state }) => state.name)).toEqual(["subscribing", "subscribed"]);
  });

  it("is noticed by the position of a channel that fell silent", () => {
    const machine = behind();
    machine.text({ event: "position", channel: "a", offset: 11 });
    expect(machine.count("unsubscribe")).toBe(0);
    machine.text({ event: "position", channel: "a", offset: 12 });
    repair(machine, [12]);
    expect(machine.of("deliver").at(-1)!.publication.message).toBe(12);
  });

  it("that can't be had is asked for again later, and the application is told", () => {
    const machine = behind();
    machine.text({ event: "message", channel: "a", offset: 13, message: 13 });
    repair(machine, []);
    machine.text({ event: "message", channel: "a", offset: 13, message: 13 });
    expect(lastState(machine)).toMatchObject({ name: "subscribing", error: { code: "position_lost", temporary: true } });
    machine.reply("unsubscribe");
    expect(machine.count("subscribe")).toBe(2);
    machine.fire("resubscribe");
    repair(machine, [12, 13]);
    expect(lastState(machine)).toMatchObject({ name: "subscribed", again: true, recovered: true });
    expect(machine.of("deliver").map(({ publication }) => publication.message)).toEqual([11, 12, 13]);
  });

  it("is told when the server has it no more", () => {
    const machine = behind();
    machine.text({ event: "message", channel: "a", offset: 13, message: 13 });
    machine.reply("unsubscribe");
    machine.reply("subscribe", { result: { channel: "a", epoch: "e1", offset: 30, recovered: false } });
    expect(machine.of("reset")).toEqual([{ do: "reset", channel: "a", position: { epoch: "e1", offset: 30 } }]);
  });
});
