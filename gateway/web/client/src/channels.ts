// The channels that one session wants, and what the server has been told of them. Each has a wish
// (`wanted`) and a wire state; where they differ and nothing is on its way, the channel is due.
// After a link is lost everything wanted is due again, from the position that was reached.
import { fullJitter, type BackoffOptions } from "./backoff.ts";
import { PealError } from "./errors.ts";
import type { Emit } from "./machine.ts";
import type { Position, Publication } from "./types.ts";
import { errorOf, type Incoming } from "./wire.ts";

interface Channel {
  name: string;
  wanted: boolean;
  wire: "off" | "asked" | "on" | "leaving";
  /** Where the application wants to begin; followed once, then `position` counts. */
  since?: Position | "start" | "state";
  position?: Position;
  /** Was subscribed before: the next time it is `again`. */
  again: boolean;
  /** Wanted anew, with another beginning, before the server was told of the end: leave first. */
  redo: boolean;
  /** Refused for the time being; due when the resubscribe timer fires. */
  later: boolean;
}

export interface ChannelCommand {
  action: "subscribe" | "unsubscribe";
  payload: string;
  answer: (reply: Incoming) => void;
}

export class Channels {
  readonly #channels = new Map<string, Channel>();
  readonly #due = new Set<Channel>();
  #refusals = 0;

  readonly #emit: Emit;
  readonly #backoff: BackoffOptions;
  readonly #random: () => number;

  constructor(emit: Emit, backoff: BackoffOptions, random: () => number) {
    this.#emit = emit;
    this.#backoff = backoff;
    this.#random = random;
  }

  want(name: string, since?: Channel["since"]): void {
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = { name, wanted: true, wire: "off", again: false, redo: false, later: false };
      this.#channels.set(name, channel);
    }
    const redo = channel.wire === "asked" || channel.wire === "on";
    const position = undefined;
    Object.assign(channel, { wanted: true, again: false, later: false, redo, since, position });
    this.#settleDue(channel);
    this.#emit({ do: "channel", channel: name, state: { name: "subscribing" } });
  }

  unwant(name: string): void {
    const channel = this.#channels.get(name);
    if (!channel) return;
    channel.wanted = false;
    this.#settleDue(channel);
  }

  /** The next command that is due; the caller sends it. */
  next(): ChannelCommand | undefined {
    for (const channel of this.#due) {
      this.#due.delete(channel);
      return channel.wire === "off" ? this.#ask(channel) : this.#leave(channel);
    }
    return undefined;
  }

  pushed(push: Incoming): void {
    const channel = this.#channels.get(push.channel!);
    if (!channel || channel.wire !== "on" || channel.redo) return;
    switch (push.event) {
      case "message":
        this.#deliver(channel, push);
        break;
      case "position":
        this.#reached(channel, push["offset"]);
        break;
      case "reset":
        channel.position = { epoch: push["epoch"], offset: push["offset"] };
        this.#emit({ do: "reset", channel: channel.name, position: { ...channel.position } });
        break;
      case "unsubscribed":
        channel.wire = "off";
        this.#refused(channel, errorOf(push));
        break;
    }
  }

  /** The resubscribe timer fired. */
  retry(): void {
    for (const channel of this.#channels.values()) {
      channel.later = false;
      this.#settleDue(channel);
    }
  }

  lost(error: PealError): void {
    this.#refusals = 0;
    for (const channel of this.#channels.values()) {
      const told = channel.wire === "on";
      channel.wire = "off";
      channel.later = channel.redo = false;
      this.#settleDue(channel);
      if (told && channel.wanted) {
        this.#emit({ do: "channel", channel: channel.name, state: { name: "subscribing", error } });
      }
    }
  }

  close(error?: PealError): void {
    for (const channel of this.#channels.values()) this.#finish(channel, error);
  }

  #settleDue(channel: Channel): void {
    const { wire, wanted, later, redo } = channel;
    if (wire === "off" && !wanted) {
      this.#channels.delete(channel.name);
      this.#due.delete(channel);
    } else if (wanted && !redo ? wire === "off" && !later : wire === "on") {
      this.#due.add(channel);
    } else {
      this.#due.delete(channel);
    }
  }

  #ask(channel: Channel): ChannelCommand {
    channel.wire = "asked";
    const since = channel.position ?? channel.since;
    return {
      action: "subscribe",
      payload: JSON.stringify({ channel: channel.name, since }),
      answer: (reply) => this.#asked(channel, since, reply),
    };
  }

  #asked(channel: Channel, since: Channel["since"], { error, result = {} }: Incoming): void {
    channel.wire = error ? "off" : "on";
    if (channel.redo) {
      channel.redo = !error;
      this.#settleDue(channel);
      return;
    }
    if (error) {
      this.#refused(channel, errorOf(error));
      return;
    }
    this.#refusals = 0;
    const { epoch, offset, recovered, publications = [] } = result;
    if (epoch === undefined) {
      channel.position = undefined;
    } else if (since === undefined || recovered === false) {
      channel.position = { epoch, offset };
    } else {
      // What comes now moves the position, so that a link lost half-way through misses nothing.
      channel.position = typeof since === "object" ? since : { epoch, offset: 0 };
    }
    const again = channel.again;
    channel.again = true;
    this.#settleDue(channel);
    if (!channel.wanted) return;
    this.#emit({
      do: "channel",
      channel: channel.name,
      state: { name: "subscribed", again, recovered, position: channel.position && { ...channel.position } },
    });
    for (const publication of publications) this.#deliver(channel, publication);
  }

  #leave(channel: Channel): ChannelCommand {
    channel.wire = "leaving";
    return {
      action: "unsubscribe",
      payload: JSON.stringify({ channel: channel.name }),
      answer: () => {
        channel.wire = "off";
        channel.redo = false;
        this.#settleDue(channel);
      },
    };
  }

  #refused(channel: Channel, error: PealError): void {
    if (!channel.wanted) {
      this.#settleDue(channel);
    } else if (!error.temporary) {
      this.#finish(channel, error);
    } else {
      channel.later = true;
      this.#settleDue(channel);
      const ms = fullJitter(this.#refusals++, this.#backoff, this.#random);
      this.#emit({ do: "arm", timer: "resubscribe", ms });
      this.#emit({ do: "channel", channel: channel.name, state: { name: "subscribing", error } });
    }
  }

  #finish(channel: Channel, error?: PealError): void {
    this.#channels.delete(channel.name);
    this.#due.delete(channel);
    if (channel.wanted) {
      this.#emit({ do: "channel", channel: channel.name, state: { name: "closed", error } });
    }
  }

  #deliver(channel: Channel, push: Incoming): void {
    if (!channel.wanted) return;
    const { event: _event, offset, after: _after, ...rest } = push;
    const publication = { ...rest, channel: channel.name } as Publication;
    this.#reached(channel, offset);
    if (offset !== undefined && channel.position) {
      publication.position = { epoch: channel.position.epoch, offset };
    }
    this.#emit({ do: "deliver", channel: channel.name, publication });
  }

  #reached(channel: Channel, offset?: number): void {
    if (channel.position && offset !== undefined && offset > channel.position.offset) {
      channel.position = { epoch: channel.position.epoch, offset };
    }
  }
}
