// A list of documents. The server lists no channels, so a collection keeps a document of its own,
// the index: the addresses of its members. Its conflicts settle themselves: what either side added
// is in, what either side removed is out.
import { Emitter } from "../emitter.ts";
import type { Document } from "./document.ts";
import type { Replica } from "./replica.ts";
import { mergeSets, type Resolver } from "./resolvers.ts";

const membersOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((uri) => typeof uri === "string") : [];

export const mergeIndexes: Resolver = ({ base, mine, theirs }) =>
  ({ value: mergeSets(membersOf(base), membersOf(mine), membersOf(theirs)) });

export class Collection<T = unknown> extends Emitter<{ change: Document<T>[] }> {
  readonly index: Document<string[]>;
  readonly #replica: Replica;
  #shown: string[] = [];

  /** @internal Use `replica.collection`. */
  constructor(replica: Replica, indexUri: string) {
    super();
    this.#replica = replica;
    replica.resolveWith(indexUri, mergeIndexes);
    this.index = replica.document<string[]>(indexUri);
    this.index.on("change", () => {
      for (const uri of this.#shown) if (!this.uris.includes(uri)) void this.#forget(uri);
      this.#shown = this.uris;
      this.emit("change", this.documents);
    });
  }

  get uris(): string[] {
    return membersOf(this.index.value);
  }

  /** In the order in which they were added. A member's own value may come later than its name. */
  get documents(): Document<T>[] {
    return this.uris.map((uri) => this.#replica.document<T>(uri));
  }

  /** Writes the document, then its name into the index. */
  async add(uri: string, value: T): Promise<Document<T>> {
    const document = this.#replica.document<T>(uri);
    await document.set(value);
    await this.include(uri);
    return document;
  }

  /** Writes only its name into the index, where it is not there. */
  async include(uri: string): Promise<void> {
    if (!this.uris.includes(uri)) await this.index.update((members) => mergeSets([], [uri], membersOf(members)));
  }

  /** Takes its name out of the index, then deletes it. */
  async remove(uri: string): Promise<void> {
    await this.index.update((members) => membersOf(members).filter((member) => member !== uri));
    await this.#replica.document<T>(uri).delete();
  }
  /** What is no member and nowhere any more need not be followed. */
  async #forget(uri: string): Promise<void> {
    const { status } = await this.#replica.document<T>(uri).settled();
    if (status === "missing" && !this.uris.includes(uri)) await this.#replica.forget(uri);
  }
}
