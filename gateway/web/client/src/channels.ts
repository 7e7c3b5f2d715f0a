// The channels that one session wants, and what the server has been told of them. Each has a wish
// (`wanted`) and a wire state; where they differ and nothing is on its way, the channel is due.
// After a link is lost everything wanted is due again, from the position that was reached; so is a
// channel in which something turns out to be missing, without a word to the application.
//
// On a link with commands each channel is asked for and left by its own (`next`). On one without, what
// is wanted is asked for as a whole (`all`), and what is due means that the whole is asked for anew.
import { fullJitter, type BackoffOptions } from "./backoff.ts";
import { PealError } from "./errors.ts";
import type { Emit } from "./machine.ts";
import { Track, type Since } from "./track.ts";
import type { Position, Publication, Wish } from "./types.ts";
import { errorOf, type Incoming } from "./wire.ts";

interface Channel {
  name: string;
  wanted: boolean;
  wire: "off" | "asked" | "on" | "leaving";
  /** What the application asked for; `since` is followed once, then the track's position counts. */
  wish: Wish;
  track: Track;
  /** Was subscribed before: the next time it is `again`. */
  again: boolean;
  /** The application was told that it is subscribed, and nothing else since. */
  told: boolean;
  /** To be asked for anew, which needs to be left first. */
  redo: boolean;
  /** Refused for the time being; due when the resubscribe timer fires. */
  later: boolean;
  /** Where something was found missing the last time. */
  repairedAt?: number;
}

export interface ChannelCommand {
  action: "subscribe" | "unsubscribe";
  payload: string;
  answer: (reply: Incoming) => void;
}

/** A channel as the server is asked for it. */
export type Request = { channel: string } & Omit<Wish, "since"> & { since?: Since };

export class Channels {
  /** Whether the link takes no commands. */
  together = false;
  readonly #channels = new Map<string, Channel>();
  readonly #due = new Set<Channel>();
  #refusals = 0;
  #changed = false;

  readonly #emit: Emit;
  readonly #backoff: BackoffOptions;
  readonly #random: () => number;

  constructor(emit: Emit, backoff: BackoffOptions, random: () => number) {
    this.#emit = emit;
    this.#backoff = backoff;
    this.#random = random;
  }

  want(name: string, wish: Wish): void {
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = {
        name, wish, wanted: true, wire: "off", track: new Track(),
        again: false, told: false, redo: false, later: false,
      };
      this.#channels.set(name, channel);
    }
    const redo = !this.together && (channel.wire === "asked" || channel.wire === "on");
    const track = new Track();
    Object.assign(channel, { wanted: true, wish, track, again: false, told: false, later: false, redo });
    if (this.together) channel.wire = "off";
    this.#settleDue(channel);
    this.#emit({ do: "channel", channel: name, state: { name: "subscribing" } });
  }

  unwant(name: string): void {
    const channel = this.#channels.get(name);
    if (!channel) return;
    channel.wanted = channel.told = false;
    if (this.together) channel.wire = "off";
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

  /** Whether `all` is due. */
  get changed(): boolean {
    return this.#changed || this.#due.size > 0;
  }

  /** Everything that is wanted, each from where it is; nothing else reaches the application then. */
  all(): Request[] {
    this.#changed = false;
    this.#due.clear();
    const requests: Request[] = [];
    for (const channel of this.#channels.values()) {
      if (channel.later) continue;
      channel.wire = "asked";
      requests.push(this.#request(channel));
    }
    return requests;
  }

  pushed(push: Incoming): void {
    const channel = this.#channels.get(push.channel!);
    if (!channel || channel.redo) return;
    if (this.together && channel.wire === "asked") {
      if (push.event === "unsubscribed") return this.#asked(channel, { error: push as never });
      if (push.event === "subscribed") return this.#asked(channel, { result: push });
      if (push.event === "reset") return this.#asked(channel, { result: { ...push, recovered: false } });
      this.#resumed(channel);
    }
    if (channel.wire === "on") this.#heard(channel, push);
  }

  /** A poll was answered: of channels with a position that is all there is to hear. */
  answered(): void {
    for (const channel of [...this.#channels.values()]) {
      if (channel.wire === "asked") this.#resumed(channel);
    }
  }

  /** The request for what is wanted was refused as a whole, for what is new in it. */
  refused(error: PealError): void {
    const asked = [...this.#channels.values()].filter(({ wire }) => wire === "asked");
    const strange = asked.filter(({ told }) => !told);
    for (const channel of strange.length > 0 ? strange : asked) this.#finish(channel, error);
    for (const channel of this.#channels.values()) channel.wire = "off";
    this.#changed = true;
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
    this.#changed = false;
    for (const channel of this.#channels.values()) {
      const { told } = channel;
      channel.wire = "off";
      channel.told = channel.later = channel.redo = false;
      channel.repairedAt = undefined;
      this.#settleDue(channel);
      if (told) this.#emit({ do: "channel", channel: channel.name, state: { name: "subscribing", error } });
    }
  }

  close(error?: PealError): void {
    for (const channel of this.#channels.values()) this.#finish(channel, error);
  }

  #settleDue(channel: Channel): void {
    const { wire, wanted, later, redo } = channel;
    if (wire === "off" && !wanted) {
      this.#channels.delete(channel.name);
      this.#changed ||= this.together;
      this.#due.delete(channel);
    } else if (wanted && !redo ? wire === "off" && !later : wire === "on") {
      this.#due.add(channel);
    } else {
      this.#due.delete(channel);
    }
  }

  #since({ track, wish }: Channel): Since | undefined {
    return track.position ?? wish.since;
  }

  #request(channel: Channel): Request {
    return { ...channel.wish, channel: channel.name, since: this.#since(channel) };
  }

  #ask(channel: Channel): ChannelCommand {
    channel.wire = "asked";
    const payload = JSON.stringify(this.#request(channel));
    return { action: "subscribe", payload, answer: (reply) => this.#asked(channel, reply) };
  }

  #asked(channel: Channel, { error, result = {} }: Incoming): void {
    channel.wire = error ? "off" : "on";
    if (channel.redo) {
      channel.redo = !error;
      this.#settleDue(channel);
      return;
    }
    if (error) return this.#refused(channel, errorOf(error));
    this.#refusals = 0;
    const since = this.#since(channel);
    const recovered = channel.track.begin(since, result);
    const held = recovered ? (since as Position).offset : 0;
    this.#settleDue(channel);
    if (!channel.wanted) return;
    this.#tell(channel, recovered);
    for (const publication of result.publications ?? []) {
      if (!(publication.offset <= held)) this.#deliver(channel, publication);
    }
    this.#moved(channel);
  }

  #resumed(channel: Channel): void {
    const since = this.#since(channel);
    if (typeof since === "object") this.#asked(channel, { result: { ...since, recovered: true } });
  }

  #tell(channel: Channel, recovered: boolean | undefined): void {
    const { name, again, told, track } = channel;
    channel.again = channel.told = true;
    const position = track.position && { ...track.position };
    if (!told) {
      this.#emit({ do: "channel", channel: name, state: { name: "subscribed", again, recovered, position } });
    }
    if (recovered === false && position) this.#emit({ do: "reset", channel: name, position });
  }

  #heard(channel: Channel, push: Incoming): void {
    const { name, track } = channel;
    switch (push.event) {
      case "message":
      case "position": {
        const place = track.pushed(push);
        if (place === "gap") this.#repair(channel);
        else if (push.event === "position") this.#moved(channel);
        else if (place === "new") this.#deliver(channel, push);
        break;
      }
      case "reset":
        track.begin(undefined, push);
        this.#emit({ do: "reset", channel: name, position: { ...track.position! } });
        break;
      case "presence":
        this.#emit({ do: "presence", channel: name, members: push as never });
        break;
      case "join":
      case "leave":
        this.#emit({ do: push.event, channel: name, member: push["member"] });
        break;
      case "unsubscribed":
        channel.wire = "off";
        this.#refused(channel, errorOf(push));
        break;
    }
  }

  /** Something before what came is missing: ask for everything from the position that was reached.
   *  When that did not help the last time, not at once. */
  #repair(channel: Channel): void {
    const { offset } = channel.track.position!;
    const again = channel.repairedAt === offset;
    channel.repairedAt = offset;
    if (again) {
      const error = new PealError("position_lost", "messages are missing and could not be had", true);
      this.#refused(channel, error, !this.together);
    } else {
      channel.wire = this.together ? "off" : channel.wire;
      channel.redo = !this.together;
      this.#settleDue(channel);
    }
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

  #refused(channel: Channel, error: PealError, redo = false): void {
    channel.told = false;
    this.#changed ||= this.together;
    if (!channel.wanted) {
      this.#settleDue(channel);
    } else if (!error.temporary) {
      this.#finish(channel, error);
    } else {
      channel.later = true;
      channel.redo = redo;
      if (!redo) channel.wire = "off";
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
    const { event: _event, offset, after: _after, ...rest } = push;
    const publication = { ...rest, channel: channel.name } as Publication;
    const { position } = channel.track;
    if (position && offset !== undefined) publication.position = { epoch: position.epoch, offset };
    this.#emit({ do: "deliver", channel: channel.name, publication });
  }

  /** The position without a publication. */
  #moved({ name, track }: Channel): void {
    if (track.position) this.#emit({ do: "moved", channel: name, position: { ...track.position } });
  }
}
