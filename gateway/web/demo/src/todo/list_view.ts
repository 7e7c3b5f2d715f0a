// The list: a view for each member of the collection, newest first, and for what is no member any
// more but in conflict: one side changed what the other one deleted.
import type { Collection, Replica } from "../../../client/src/sync/index.ts";
import { byId } from "../dom.ts";
import { ItemView, type ItemActions } from "./item_view.ts";
import { countOf, todoOf, type Todo } from "./model.ts";

export class ListView {
  readonly #replica: Replica;
  readonly #collection: Collection<Todo>;
  readonly #actions: ItemActions;
  readonly #inConflict = new Set<string>();
  readonly #views = new Map<string, ItemView>();
  readonly #list = byId("items");
  readonly #changed: () => void;

  /** `changed` is called whenever anything in the list did. */
  constructor(
    replica: Replica, collection: Collection<Todo>, actions: Omit<ItemActions, "changed">, changed: () => void,
  ) {
    this.#replica = replica;
    this.#collection = collection;
    this.#actions = { ...actions, changed: () => this.#count() };
    this.#changed = changed;
    collection.on("change", () => this.show());
    replica.on("change", ({ uri, state }) => {
      if (!uri.startsWith(`${collection.index.uri}:`)) return;
      if (this.#inConflict.has(uri) === (state.conflict !== undefined)) return;
      if (state.conflict) this.#inConflict.add(uri);
      else this.#inConflict.delete(uri);
      this.show();
    });
    this.show();
  }

  get views(): ItemView[] {
    return [...this.#views.values()];
  }

  show(): void {
    const uris = [...new Set([...this.#collection.uris, ...this.#inConflict])];
    for (const [uri, view] of this.#views) {
      if (uris.includes(uri)) continue;
      view.dispose();
      this.#views.delete(uri);
    }
    uris.reverse().forEach((uri, index) => {
      const view = this.#views.get(uri) ?? new ItemView(this.#replica.document<Todo>(uri), this.#actions);
      this.#views.set(uri, view);
      const here = this.#list.children[index];
      if (here !== view.element) this.#list.insertBefore(view.element, here ?? null);
    });
    this.#count();
  }

  #count(): void {
    const todos = this.views.map(({ document }) => todoOf(document.value)).filter((todo) => todo !== undefined);
    const { status } = this.#collection.index.state;
    this.#list.ariaBusy = String(status === "loading");
    byId("empty").hidden = this.#views.size > 0 || status === "loading";
    byId("count").textContent = countOf(todos);
    this.#changed();
  }
}
