import { describe, expect, it } from "vitest";
import { PealError } from "../src/errors.ts";
import { MachineHarness } from "./support/machine_harness.ts";

const kRefusal = { code: "permission_denied", message: "no", temporary: false };

describe("making the connection", () => {
  it("opens, asks for the token, sends connect with heartbeat, and is connected by the answer", () => {
    const machine = new MachineHarness();
    expect(machine.feed({ on: "start" }).map((action) => action.do)).toEqual(["state", "arm", "open"]);
    expect(machine.feed({ on: "opened" })).toEqual([{ do: "identify" }]);
    machine.feed({ on: "identified", token: "secret" });
    expect(machine.last("connect").payload).toMatchObject({ token: "secret", heartbeat: true });
    expect(machine.state.name).toBe("connecting");
    machine.reply("connect", { result: { session: "s", gateway: "g", heartbeat_ms: 1000, limits: {} } });
    expect(machine.state).toMatchObject({ name: "connected", gateway: "g", again: false });
    expect(machine.timers.has("connect")).toBe(false);
  });

  it("gives up an attempt that takes too long, and tries again", () => {
    const machine = new MachineHarness();
    machine.feed({ on: "start" });
    machine.fire("connect");
    expect(machine.state).toMatchObject({ name: "waiting", error: { code: "connect_timeout" } });
    expect(machine.of("drop")).toHaveLength(1);
    machine.fire("retry");
    expect(machine.state).toEqual({ name: "connecting", attempt: 2 });
  });

  it("asks why when the handshake failed, and shows the answer while it waits", () => {
    const machine = new MachineHarness();
    machine.feed({ on: "start" });
    machine.feed({ on: "closed", code: 1006, reason: "" });
    expect(machine.of("diagnose")).toHaveLength(1);
    machine.feed({ on: "diagnosed", error: new PealError("sessions_max", "full", true) });
    expect(machine.state).toMatchObject({ name: "waiting", error: { code: "sessions_max" } });
    expect(machine.timers.has("retry")).toBe(true);
  });

  it("is closed for good by a diagnosis that no retry can change", () => {
    const machine = new MachineHarness();
    machine.feed({ on: "start" });
    machine.publish(1);
    machine.feed({ on: "closed", code: 1006, reason: "" });
    machine.feed({ on: "diagnosed", error: new PealError("origin_refused", "not this page") });
    expect(machine.state).toMatchObject({ name: "closed", error: { code: "origin_refused" } });
    expect(machine.settled(1)).toMatchObject([{ error: { code: "client_closed" } }]);
    expect(machine.timers.size).toBe(0);
  });

  it("does not ask why when a connection that stood is lost", () => {
    const machine = new MachineHarness().connect();
    machine.feed({ on: "closed", code: 1006, reason: "" });
    expect(machine.of("diagnose")).toHaveLength(0);
  });

  it("ends for good when connect is refused, unless that is temporary", () => {
    for (const temporary of [false, true]) {
      const machine = new MachineHarness();
      machine.feed({ on: "start" });
      machine.feed({ on: "opened" });
      machine.feed({ on: "identified" });
      machine.reply("connect", { error: { code: "token_invalid", message: "who?", temporary } });
      expect(machine.state).toMatchObject({
        name: temporary ? "waiting" : "closed", error: { code: "token_invalid" },
      });
    }
  });

  it("tries again when no token could be had", () => {
    const machine = new MachineHarness();
    machine.feed({ on: "start" });
    machine.feed({ on: "opened" });
    machine.feed({ on: "identified", error: new PealError("connection_lost", "no token", true) });
    expect(machine.state.name).toBe("waiting");
    expect(machine.sent).toHaveLength(0);
  });
});

describe("coming back", () => {
  it("honours the close codes", () => {
    for (const [code, state] of [
      [1001, "waiting"], [1006, "waiting"], [1012, "waiting"], [3000, "waiting"], [3499, "waiting"],
      [1000, "closed"], [1008, "closed"], [3500, "closed"], [3999, "closed"], [4000, "waiting"],
    ] as const) {
      const machine = new MachineHarness().connect();
      machine.feed({ on: "closed", code, reason: "" });
      expect(machine.state.name, String(code)).toBe(state);
      expect(machine.state).toMatchObject({ error: { closeCode: code } });
    }
  });

  it("waits longer with each failure, up to the most, and anew after a lasting connection", () => {
    const machine = new MachineHarness({}, () => 1);
    machine.feed({ on: "start" });
    const waits: number[] = [];
    for (let i = 0; i < 8; ++i) {
      machine.feed({ on: "closed", code: 1006, reason: "" });
      waits.push(machine.timers.get("retry")!);
      machine.fire("retry");
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]);
    machine.connect();
    machine.feed({ on: "closed", code: 1012, reason: "" });
    expect(machine.timers.get("retry"), "a connection that did not last changes nothing").toBe(20_000);
    machine.fire("retry");
    machine.connect();
    machine.fire("stable");
    machine.feed({ on: "closed", code: 1012, reason: "" });
    expect(machine.timers.get("retry")).toBe(500);
  });

  it("comes back when the server asks it to, and later after failures", () => {
    const machine = new MachineHarness({}, () => 1).connect();
    const reason = "the gateway is stopping; retry_after_ms=740";
    machine.feed({ on: "closed", code: 1012, reason });
    expect(machine.timers.get("retry")).toBe(740);
    expect(machine.state).toMatchObject({ name: "waiting", retryIn: 740 });
    machine.fire("retry");
    machine.feed({ on: "closed", code: 1006, reason: "" });
    machine.fire("retry");
    machine.connect();
    machine.feed({ on: "closed", code: 1012, reason });
    expect(machine.timers.get("retry"), "the third failure in a row").toBe(2000);
  });

  it("is asked by a stream's last event too", () => {
    const machine = new MachineHarness({ transports: ["sse"] }, () => 1);
    machine.feed({ on: "start" });
    machine.feed({ on: "opened" });
    machine.feed({ on: "identified" });
    machine.reply("ping");
    machine.feed({ on: "subscribe", channel: "a" });
    machine.fire("follow");
    const closed = { event: "closed", code: 1012, message: "gone; retry_after_ms=0", reconnect: true };
    machine.feed({ on: "text", text: JSON.stringify(closed) });
    expect(machine.timers.get("retry")).toBe(0);
  });

  it("says that it is back", () => {
    const machine = new MachineHarness().connect();
    machine.feed({ on: "closed", code: 1012, reason: "restarting" });
    machine.fire("retry");
    machine.connect({ session: "s2", gateway: "g2", heartbeat_ms: 20_000, limits: {} });
    expect(machine.state).toMatchObject({ name: "connected", again: true, gateway: "g2" });
  });

  it("tries at once when the network is back or the page wakes up", () => {
    for (const hint of ["online", "awake"] as const) {
      const machine = new MachineHarness().connect();
      machine.feed({ on: "closed", code: 1006, reason: "" });
      machine.feed({ on: "hint", hint: "offline" });
      expect(machine.state).toMatchObject({ name: "waiting", offline: true });
      machine.feed({ on: "hint", hint });
      expect(machine.state.name).toBe("connecting");
      expect(machine.timers.has("retry")).toBe(false);
    }
  });

  it("hears nothing more after stop, and refuses what comes later", () => {
    const machine = new MachineHarness().connect();
    machine.feed({ on: "subscribe", channel: "a" });
    machine.feed({ on: "stop" });
    expect(machine.state).toEqual({ name: "closed", error: undefined });
    expect(machine.of("channel").at(-1)).toMatchObject({ state: { name: "closed" } });
    expect(machine.timers.size).toBe(0);
    machine.publish(7);
    expect(machine.settled(7)).toMatchObject([{ error: { code: "client_closed" } }]);
    expect(machine.feed({ on: "hint", hint: "online" })).toEqual([]);
  });
});

describe("a link that went silent", () => {
  it("is checked after one and a half heartbeats, and given up without an answer", () => {
    const machine = new MachineHarness().connect();
    expect(machine.timers.get("silence")).toBe(30_000);
    machine.fire("silence");
    expect(machine.count("ping")).toBe(1);
    machine.fire("check");
    expect(machine.state).toMatchObject({ name: "waiting", error: { code: "link_silent" } });
    expect(machine.of("drop")).toHaveLength(1);
  });

  it("is kept when anything comes in time", () => {
    const machine = new MachineHarness().connect();
    machine.fire("silence");
    machine.text({ event: "heartbeat" });
    expect(machine.timers.has("check")).toBe(false);
    expect(machine.timers.has("silence")).toBe(true);
    expect(machine.state.name).toBe("connected");
  });

  it("is checked at once, and only once, when the platform hints at trouble", () => {
    const machine = new MachineHarness().connect();
    for (const hint of ["offline", "online", "awake"] as const) machine.feed({ on: "hint", hint });
    expect(machine.count("ping")).toBe(1);
    expect(machine.state.name).toBe("connected");
  });

  it("is given up when a command stays unanswered, though other things arrive", () => {
    const machine = new MachineHarness().connect();
    machine.publish(1);
    for (let i = 0; i < 2; ++i) {
      machine.fire("reply");
      machine.text({ event: "heartbeat" });
    }
    expect(machine.state.name).toBe("connected");
    machine.fire("reply");
    expect(machine.state).toMatchObject({ name: "waiting", error: { code: "link_silent" } });
    expect(machine.settled(1)).toMatchObject([{ error: { code: "publish_outcome_unknown" } }]);
  });

  it("needs no reply timer when nothing is unanswered", () => {
    const machine = new MachineHarness().connect();
    expect(machine.timers.has("reply")).toBe(false);
    machine.publish(1);
    expect(machine.timers.has("reply")).toBe(true);
    machine.reply("publish");
    expect(machine.timers.has("reply")).toBe(false);
  });
});

describe("what arrives", () => {
  it("survives garbage and says so", () => {
    const machine = new MachineHarness().connect();
    for (const text of ["{", "", "7", "null", new ArrayBuffer(3)]) machine.feed({ on: "text", text });
    expect(machine.of("report")).toHaveLength(5);
    expect(machine.state.name).toBe("connected");
  });

  it("ignores a reply to nothing and an event it does not know", () => {
    const machine = new MachineHarness().connect();
    const before = machine.actions.length;
    machine.text({ id: 999, result: {} });
    machine.text({ event: "fireworks" });
    machine.text({ event: "message", channel: "never-asked-for", message: 1 });
    expect(machine.actions.slice(before).every((action) => action.do === "arm")).toBe(true);
  });

  it("reports an error event that belongs to no command", () => {
    const machine = new MachineHarness().connect();
    machine.text({ event: "error", ...kRefusal });
    expect(machine.of("report")).toMatchObject([{ error: { code: "permission_denied" } }]);
  });
});
