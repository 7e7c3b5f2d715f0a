// Drives a Session by hand: plays the server's side of the conversation, and keeps what came out.
import type { Action, Event, TimerName } from "../../src/machine.ts";
import { Session, type SessionOptions } from "../../src/session.ts";
import type { ConnectionState } from "../../src/types.ts";

export const kOptions: SessionOptions = {
  transports: ["websocket", "sse", "poll"], queueMax: 5, retryBase: 500, retryMax: 20_000, connectTimeout: 10_000, replyTimeout: 10_000,
  checkTimeout: 4000,
};

export interface Command {
  id: number;
  action: string;
  payload: any;
}

export class MachineHarness {
  readonly session: Session;
  /** Every action since the last `take`. */
  actions: Action[] = [];
  readonly timers = new Map<TimerName, number>();
  readonly sent: Command[] = [];
  readonly states: ConnectionState[] = [];

  constructor(options: Partial<SessionOptions> = {}, random = () => 0.5) {
    this.session = new Session({ ...kOptions, ...options }, random);
  }

  feed(event: Event): Action[] {
    const actions = this.session.handle(event);
    this.actions.push(...actions);
    for (const action of actions) {
      if (action.do === "arm") this.timers.set(action.timer, action.ms);
      if (action.do === "disarm") this.timers.delete(action.timer);
      if (action.do === "send") this.sent.push(JSON.parse(action.text));
      if (action.do === "state") this.states.push(action.state);
    }
    return actions;
  }

  fire(timer: TimerName): Action[] {
    if (!this.timers.delete(timer)) throw new Error(`${timer} is not armed`);
    return this.feed({ on: "timer", timer });
  }

  text(message: object): Action[] {
    return this.feed({ on: "text", text: JSON.stringify(message) });
  }

  /** Answers the newest unanswered-looking command of this action. */
  reply(action: string, outcome: { result?: unknown; error?: unknown } = { result: {} }): Action[] {
    const command = this.last(action);
    return this.text({ id: command.id, ...outcome });
  }

  last(action: string): Command {
    const command = this.sent.findLast((command) => command.action === action);
    if (!command) throw new Error(`no ${action} was sent`);
    return command;
  }

  count(action: string): number {
    return this.sent.filter((command) => command.action === action).length;
  }

  of<Kind extends Action["do"]>(kind: Kind): Extract<Action, { do: Kind }>[] {
    return this.actions.filter((action) => action.do === kind) as never;
  }

  get state(): ConnectionState {
    return this.states.at(-1)!;
  }

  connect(result: object = { session: "s1", gateway: "g1", heartbeat_ms: 20_000, limits: {} }): this {
    if (this.states.length === 0) this.feed({ on: "start" });
    this.feed({ on: "opened" });
    this.feed({ on: "identified" });
    this.reply("connect", { result });
    return this;
  }

  publish(ticket: number, channel = "a", message: unknown = ticket): Action[] {
    const payload = JSON.stringify({ channel, message });
    return this.feed({ on: "call", ticket, action: "publish", payload, waits: true });
  }

  settled(ticket: number) {
    return this.of("settle").filter((action) => action.ticket === ticket);
  }
}
