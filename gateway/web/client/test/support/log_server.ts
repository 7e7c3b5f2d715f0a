// A model of the server's side of recovery: logs that are appended to, trimmed, compacted and begun
// anew, and links that read them as the protocol says. Small pages, so that there are several.
import type { Request } from "../../src/channels.ts";
import type { Position } from "../../src/types.ts";

const kPage = 3;

export interface Log {
  epoch: string;
  top: number;
  floor: number;
  kept: Map<number, string>;
  ephemeral: boolean;
}

/** One link's place in a channel; undefined for a channel without a log. */
type Place = number | undefined;

/** Whatever receives pushes: a WebSocket, a stream, or a poll that waits. */
export interface Reader {
  places: Map<string, Place>;
  out: object[];
}

export class LogServer {
  readonly logs = new Map<string, Log>();
  readonly readers = new Set<Reader>();
  #epochs = 0;

  log(channel: string): Log {
    let log = this.logs.get(channel);
    if (!log) {
      log = { epoch: this.#epoch(), top: 0, floor: 0, kept: new Map(), ephemeral: channel.startsWith("e") };
      this.logs.set(channel, log);
    }
    return log;
  }

  #epoch(): string {
    return `epoch${String(++this.#epochs).padStart(3, "0")}`;
  }

  /** `lost` tells of each reader whether the push to it gets lost on the way. */
  append(channel: string, lost: () => boolean): number {
    const log = this.log(channel);
    const offset = ++log.top;
    log.kept.set(offset, `${channel} ${log.epoch} ${offset}`);
    for (const { places, out } of this.readers) {
      if (!places.has(channel)) continue;
      if (!log.ephemeral) places.set(channel, offset);
      const at = log.ephemeral ? {} : { offset };
      if (!lost()) out.push({ event: "message", channel, ...at, message: log.kept.get(offset) });
    }
    return offset;
  }

  trim(channel: string, upTo: number): void {
    const log = this.log(channel);
    log.floor = Math.max(log.floor, Math.min(upTo, log.top));
    for (const offset of [...log.kept.keys()]) if (offset <= log.floor) log.kept.delete(offset);
  }

  /** One in the middle goes, as when a later one has its key. */
  compact(channel: string, offset: number): void {
    const log = this.log(channel);
    if (offset < log.top) log.kept.delete(offset);
  }

  /** The past is gone: everybody who reads it is told. */
  renew(channel: string): void {
    const log = this.log(channel);
    if (log.ephemeral) return;
    Object.assign(log, { epoch: this.#epoch(), top: 0, floor: 0, kept: new Map() });
    for (const { places, out } of this.readers) {
      if (!places.has(channel)) continue;
      places.set(channel, 0);
      out.push({ event: "reset", channel, epoch: log.epoch, offset: 0 });
    }
  }

  /** The channels have been quiet: where they stand. */
  quiet(): void {
    for (const { places, out } of this.readers) {
      for (const [channel, place] of places) {
        if (place !== undefined) out.push({ event: "position", channel, offset: this.log(channel).top });
      }
    }
  }

  /** The result of a subscribe; what comes after its page is pushed to the reader right behind it. */
  subscribe(reader: Reader, { channel, since }: Request): { result: object; rest: object[] } {
    const log = this.log(channel);
    if (log.ephemeral) {
      reader.places.set(channel, undefined);
      return { result: { channel }, rest: [] };
    }
    const { epoch, top, floor } = log;
    reader.places.set(channel, top);
    if (since === undefined) return { result: { channel, epoch, offset: top }, rest: [] };
    const position = typeof since === "object" ? since : { epoch, offset: floor };
    if (!this.covers(log, position)) {
      return { result: { channel, epoch, offset: top, recovered: false, publications: [] }, rest: [] };
    }
    const pages = this.#pages(channel, position.offset);
    const first = pages.shift();
    const result = {
      channel, epoch, offset: first?.to ?? top, publications: first?.publications ?? [],
      ...(typeof since === "object" ? { recovered: true } : {}),
    };
    return { result, rest: pages.flatMap(({ pushes }) => pushes) };
  }

  covers({ epoch, floor, top }: Log, since: Position): boolean {
    return since.epoch === epoch && floor <= since.offset && since.offset <= top;
  }

  /** What a poll hears of a channel in which it stands at `since`. */
  since(channel: string, since: Position): { events: object[]; position: Position } {
    const log = this.log(channel);
    const now = { epoch: log.epoch, offset: log.top };
    if (!this.covers(log, since)) return { events: [{ event: "reset", channel, ...now }], position: now };
    const page = this.#pages(channel, since.offset)[0];
    return page ? { events: page.pushes, position: { ...now, offset: page.to } } : { events: [], position: now };
  }

  #pages(channel: string, after: number): { to: number; publications: object[]; pushes: object[] }[] {
    const { kept, top } = this.log(channel);
    const pages = [];
    for (let from = after; from < top; ) {
      const offsets = [...kept.keys()].filter((offset) => offset > from).slice(0, kPage);
      const to = offsets.length < kPage ? top : offsets.at(-1)!;
      const publications = offsets.map((offset) => ({ offset, message: kept.get(offset) }));
      let expected = from + 1;
      const pushes: object[] = publications.map((publication) => {
        const hole = publication.offset > expected ? { after: publication.offset - 1 } : {};
        expected = publication.offset + 1;
        return { event: "message", channel, ...publication, ...hole };
      });
      if (expected <= to) pushes.push({ event: "position", channel, offset: to });
      pages.push({ to, publications, pushes });
      from = to;
    }
    return pages;
  }
}
