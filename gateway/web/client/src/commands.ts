// The commands of one session: which wait, which are on their way, and what becomes of each when
// the link is lost. A command that waits was certainly not done; of one on its way nobody knows.
// Over HTTP a call of the application is a request of its own (`apart`): it outlives the link that
// follows the channels, ends by its own answer, and the next one waits for it, so that order is kept.
import { PealError } from "./errors.ts";
import type { Emit } from "./machine.ts";
import { encodeCommand, errorOf, type Incoming } from "./wire.ts";

interface Waiting {
  ticket: number;
  action: string;
  payload: string;
}

interface Sent {
  /** Called with the reply; or the ticket of the application's call, whose promise is settled. */
  answer: ((reply: Incoming) => void) | number;
  action: string;
  apart: boolean;
  /** How often the reply timer has looked since. */
  looks: number;
}

export class Commands {
  /** Most commands without an answer: the server stops reading above its own limit. */
  window = 16;
  /** Whether calls are requests of their own from now on. */
  apart = false;
  #callsApart = 0;
  #nextId = 1;
  readonly #sent = new Map<number, Sent>();
  readonly #waiting: Waiting[] = [];

  readonly #emit: Emit;
  readonly #queueMax: number;
  readonly #replyTimeout: number;

  constructor(emit: Emit, queueMax: number, replyTimeout: number) {
    this.#emit = emit;
    this.#queueMax = queueMax;
    this.#replyTimeout = replyTimeout;
  }

  get hasRoom(): boolean {
    return this.#sent.size - this.#callsApart < this.window;
  }

  wait(ticket: number, action: string, payload: string): void {
    if (this.#waiting.length >= this.#queueMax) {
      this.#refuse(ticket, "queue_full", `${this.#queueMax} commands wait already (queueMax)`, true);
    } else {
      this.#waiting.push({ ticket, action, payload });
    }
  }

  /** Sends the first one that waits, if any, and if it may go. */
  sendNext(): boolean {
    if (this.#callsApart > 0) return false;
    const next = this.#waiting.shift();
    if (next) this.send(next.action, next.payload, next.ticket);
    return next !== undefined;
  }

  send(action: string, payload: string, answer: Sent["answer"]): void {
    const id = this.#nextId++;
    const apart = this.apart && typeof answer === "number";
    if (apart) ++this.#callsApart;
    else if (this.#sent.size === this.#callsApart) this.#armReply();
    this.#sent.set(id, { answer, action, apart, looks: 0 });
    this.#emit({ do: "send", text: encodeCommand(id, action, payload) });
  }

  replied(reply: Incoming): void {
    const sent = this.#sent.get(reply.id!);
    if (!sent) return;
    this.#sent.delete(reply.id!);
    if (sent.apart) --this.#callsApart;
    else if (this.#sent.size === this.#callsApart) this.#emit({ do: "disarm", timer: "reply" });
    if (typeof sent.answer === "function") {
      sent.answer(reply);
    } else if (reply.error) {
      this.#emit({ do: "settle", ticket: sent.answer, error: errorOf(reply.error) });
    } else {
      this.#emit({ do: "settle", ticket: sent.answer, result: reply.result });
    }
  }

  /** The reply timer, which looks twice per deadline, fired: true when a command is past it. */
  overdue(): boolean {
    let overdue = false;
    for (const sent of this.#sent.values()) overdue = (!sent.apart && ++sent.looks > 2) || overdue;
    if (!overdue && this.#sent.size > this.#callsApart) this.#armReply();
    return overdue;
  }

  abandon(ticket: number): void {
    const index = this.#waiting.findIndex((waiting) => waiting.ticket === ticket);
    if (index >= 0) {
      this.#waiting.splice(index, 1);
      this.#refuse(ticket, "aborted", "aborted before it was sent", false);
    }
    for (const sent of this.#sent.values()) {
      if (sent.answer === ticket) {
        sent.answer = () => {};
        this.#unknown(ticket, "aborted on its way");
      }
    }
  }

  /** The link is gone, and with it every answer that it owed. */
  lost(): void {
    this.#forget((sent) => !sent.apart);
  }

  #forget(which: (sent: Sent) => boolean): void {
    const forgotten = [...this.#sent].filter(([, sent]) => which(sent));
    for (const [id] of forgotten) this.#sent.delete(id);
    for (const [, { answer, action }] of forgotten) {
      if (typeof answer !== "number") continue;
      if (action === "publish") {
        this.#unknown(answer, "the link was lost before the answer came");
      } else {
        this.#refuse(answer, "connection_lost", "the link was lost before the answer came", true);
      }
    }
  }

  /** The client is closed for good; nothing that waits will be sent. */
  close(): void {
    this.#forget(() => true);
    this.#callsApart = 0;
    for (const { ticket } of this.#waiting.splice(0)) {
      this.#refuse(ticket, "client_closed", "the client is closed; this was not sent", false);
    }
  }

  #armReply(): void {
    this.#emit({ do: "arm", timer: "reply", ms: this.#replyTimeout / 2 });
  }

  #unknown(ticket: number, why: string): void {
    this.#refuse(ticket, "publish_outcome_unknown", `${why}: it may or may not be published`, true);
  }

  #refuse(ticket: number, code: string, message: string, temporary: boolean): void {
    this.#emit({ do: "settle", ticket, error: new PealError(code, message, temporary) });
  }
}
