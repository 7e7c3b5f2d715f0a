import { describe, expect, it } from "vitest";
import { MachineHarness } from "./support/machine_harness.ts";

describe("publishing", () => {
  it("keeps what is published before the connection stands, and sends it in order", () => {
    const machine = new MachineHarness();
    machine.feed({ on: "start" });
    machine.publish(1);
    machine.publish(2);
    expect(machine.sent).toHaveLength(0);
    machine.connect();
    expect(machine.sent.map(({ payload }) => payload.message)).toEqual([undefined, 1, 2]);
  });

  it("refuses the one too many with queue_full, and keeps the others", () => {
    const machine = new MachineHarness({ queueMax: 2 });
    machine.feed({ on: "start" });
    for (const ticket of [1, 2, 3]) machine.publish(ticket);
    expect(machine.settled(3)).toMatchObject([{ error: { code: "queue_full", temporary: true } }]);
    machine.connect();
    expect(machine.count("publish")).toBe(2);
  });

  it("settles each by its own reply, in whatever order they come", () => {
    const machine = new MachineHarness().connect();
    machine.publish(1);
    machine.publish(2);
    const [first, second] = machine.sent.slice(-2);
    machine.text({ id: second!.id, error: { code: "permission_denied", message: "no", temporary: false } });
    machine.text({ id: first!.id, result: { epoch: "e", offset: 9 } });
    expect(machine.settled(1)).toMatchObject([{ result: { epoch: "e", offset: 9 } }]);
    expect(machine.settled(2)).toMatchObject([{ error: { code: "permission_denied", temporary: false } }]);
  });

  it("never has more unanswered than the server takes", () => {
    const machine = new MachineHarness({ queueMax: 100 });
    machine.connect({ heartbeat_ms: 1000, limits: { commands_pending_max: 3 } });
    for (let ticket = 1; ticket <= 10; ++ticket) machine.publish(ticket);
    expect(machine.count("publish")).toBe(3);
    machine.reply("publish");
    expect(machine.count("publish")).toBe(4);
  });

  it("tells an unknown outcome when the link is lost on the way, and does not send it again", () => {
    const machine = new MachineHarness().connect();
    machine.publish(1);
    machine.feed({ on: "closed", code: 1006, reason: "" });
    expect(machine.settled(1)).toMatchObject([
      { error: { code: "publish_outcome_unknown", temporary: true } },
    ]);
    machine.publish(2);
    machine.fire("retry");
    machine.connect();
    expect(machine.sent.filter(({ action }) => action === "publish").map(({ payload }) => payload.message))
      .toEqual([1, 2]);
  });

  it("can be given up while it waits, and on its way", () => {
    const machine = new MachineHarness();
    machine.feed({ on: "start" });
    machine.publish(1);
    machine.feed({ on: "abandon", ticket: 1 });
    expect(machine.settled(1)).toMatchObject([{ error: { code: "aborted" } }]);
    machine.connect();
    machine.publish(2);
    machine.feed({ on: "abandon", ticket: 2 });
    expect(machine.settled(2)).toMatchObject([{ error: { code: "publish_outcome_unknown" } }]);
    machine.reply("publish");
    expect(machine.settled(2), "the late reply settles nothing twice").toHaveLength(1);
    expect(machine.count("publish")).toBe(1);
  });
});

describe("a call that does not wait", () => {
  const ping = (ticket: number) =>
    ({ on: "call", ticket, action: "ping", payload: "{}", waits: false }) as const;

  it("is refused without a connection", () => {
    const machine = new MachineHarness();
    machine.feed({ on: "start" });
    machine.feed(ping(1));
    expect(machine.settled(1)).toMatchObject([{ error: { code: "not_connected", temporary: true } }]);
  });

  it("is lost with the link", () => {
    const machine = new MachineHarness().connect();
    machine.feed(ping(1));
    machine.feed({ on: "closed", code: 1006, reason: "" });
    expect(machine.settled(1)).toMatchObject([{ error: { code: "connection_lost", temporary: true } }]);
  });
});
