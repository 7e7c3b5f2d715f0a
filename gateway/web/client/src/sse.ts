// Reads a stream of server-sent events: text in, in pieces of any size; the data of each event out.
// A comment, which the server sends to show that it is there, comes out as undefined.

export class EventReader {
  #rest = "";
  #data: string[] = [];

  /** The events that end in this piece of the stream, in order. */
  read(piece: string): (string | undefined)[] {
    const events: (string | undefined)[] = [];
    const lines = (this.#rest + piece).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop()!;
    for (const line of lines) {
      if (line === "") {
        if (this.#data.length > 0) events.push(this.#data.join("\n"));
        this.#data = [];
      } else if (line.startsWith(":")) {
        events.push(undefined);
      } else if (line.startsWith("data:")) {
        this.#data.push(line.slice(line[5] === " " ? 6 : 5));
      }
    }
    return events;
  }
}
