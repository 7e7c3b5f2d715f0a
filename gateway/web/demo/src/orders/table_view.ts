// One table on the page: a channel followed from its state on, and its rows, of which each that
// changes is lit up. What a person is typing is left alone until it is sent.
import type { Peal, Subscription } from "../../../client/src/index.ts";
import { byId, make } from "../dom.ts";
import { kStatuses, moneyWord, Rows, sumWord, type Order, type Status } from "./model.ts";
import type { Wish } from "./wishes.ts";

export interface TableActions {
  /** Absent where rows are only shown. */
  ask?: (wish: Wish) => void;
  /** Nothing feeds the channel: it keeps no log here, or may not be read. */
  missing: () => void;
}

export class TableView {
  readonly #peal: Peal;
  readonly #channel: string;
  readonly #actions: TableActions;
  readonly #section: HTMLElement;
  readonly #body: HTMLElement;
  readonly #rows = new Rows();
  #shown = new Map<number, HTMLTableRowElement>();

  constructor(peal: Peal, channel: string, section: string, actions: TableActions) {
    this.#peal = peal;
    this.#channel = channel;
    this.#actions = actions;
    this.#section = byId(section);
    this.#body = this.#section.querySelector("tbody")!;
    this.#section.querySelector(".panel-head code")!.textContent = channel;
    this.#follow();
  }

  /** From the last state of each row on; anew when the past has gone. */
  #follow(): void {
    this.#rows.clear();
    const channel: Subscription = this.#peal.subscribe(this.#channel, { since: "state" });
    let live = false;
    channel.on("message", (publication) => {
      const key = this.#rows.apply(publication);
      this.#show(live && key !== undefined && !publication.delete ? Number(key) : undefined);
    });
    channel.on("state", (state) => {
      if (state.name === "closed" && state.error) this.#actions.missing();
      if (state.name !== "subscribed") return;
      if (!state.position) this.#actions.missing();
      this.#section.ariaBusy = "false";
      this.#show();
      setTimeout(() => (live = true));  // what comes with the answer was there before
    });
    channel.on("reset", () => {
      channel.unsubscribe();
      this.#follow();
    });
  }

  #show(changed?: number): void {
    const orders = this.#rows.all;
    const shown = new Map(orders.map((order) => [order.id, this.#line(order)]));
    for (const [id, line] of this.#shown) {
      if (!shown.has(id)) line.remove();
    }
    [...shown.values()].forEach((line, at) => {
      const there = this.#body.children[at];
      if (there !== line) this.#body.insertBefore(line, there ?? null);
    });
    this.#shown = shown;
    if (changed !== undefined) this.#light(shown.get(changed));
    this.#section.querySelector(".sum")!.textContent = sumWord(orders);
  }

  /** The row's line, the same one as before where it was there, with what it says now. */
  #line(order: Order): HTMLTableRowElement {
    const line = this.#shown.get(order.id) ?? this.#makeLine(order.id);
    const [, item, status, total] = line.cells;
    item!.textContent = order.item;
    line.dataset.status = order.status;
    if (this.#actions.ask) {
      const field = total!.querySelector("input")!;
      status!.querySelector("select")!.value = order.status;
      if (document.activeElement !== field) field.value = order.total.toFixed(2);
      field.defaultValue = order.total.toFixed(2);
    } else {
      status!.textContent = order.status;
      total!.textContent = moneyWord(order.total);
    }
    return line;
  }

  #makeLine(id: number): HTMLTableRowElement {
    const line = make("tr", "", make("td", "id", String(id)), make("td", "item"), make("td", "status"), make("td", "total"));
    const { ask } = this.#actions;
    if (!ask) return line;
    const status = make("select", "", ...kStatuses.map((each) => make("option", "", each)));
    const total = make("input", "");
    const remove = make("button", "quiet", "×");
    status.ariaLabel = `Status of order ${id}`;
    total.ariaLabel = `Total of order ${id}`;
    total.inputMode = "decimal";
    remove.type = "button";
    remove.title = "Remove";
    remove.ariaLabel = `Remove order ${id}`;
    const change = () => {
      ask({ do: "change", id, status: status.value as Status, total: total.value });
      total.value = total.defaultValue;  // until the database says otherwise
    };
    status.addEventListener("change", change);
    total.addEventListener("change", change);
    remove.addEventListener("click", () => ask({ do: "remove", id }));
    line.cells[2]!.append(status);
    line.cells[3]!.append(total);
    line.append(make("td", "", remove));
    return line;
  }

  #light(line: HTMLTableRowElement | undefined): void {
    line?.classList.remove("lit");
    void line?.offsetWidth;  // so that the animation begins again
    line?.classList.add("lit");
  }
}
