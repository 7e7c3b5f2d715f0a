// One item: a tick, its words, and when it was changed on both sides, both versions to choose from.
import type { Document, DocumentState } from "../../../client/src/sync/index.ts";
import { make } from "../dom.ts";
import { kTextMax, tidyText, todoOf, type Todo } from "./model.ts";

export interface ItemActions {
  changed(): void;
  remove(uri: string): void;
  /** Settles a conflict: the item is what was chosen, and a member of the list if it is anything. */
  choose(document: Document<Todo>, which: "mine" | "theirs"): void;
  /** Keeps both versions: theirs here, mine as an item of its own. */
  keepBoth(document: Document<Todo>): void;
}

export class ItemView {
  readonly element = make("li", "item");
  readonly document: Document<Todo>;
  readonly #actions: ItemActions;
  readonly #tick = make("input", "tick");
  readonly #text = make("textarea", "text");
  readonly #mark = make("span", "mark");
  readonly #elsewhere = make("p", "elsewhere");
  readonly #conflict = make("div", "conflict");
  readonly #stop: () => void;
  /** The words as they were when somebody began to change them. */
  #before: string | undefined;
  #shown = "";

  constructor(document: Document<Todo>, actions: ItemActions) {
    this.document = document;
    this.#actions = actions;
    const remove = make("button", "remove", "×");
    remove.type = "button";
    remove.addEventListener("click", () => actions.remove(document.uri));
    this.#tick.type = "checkbox";
    this.#tick.addEventListener("change", () => {
      const done = this.#tick.checked;
      void document.update((value) => ({ text: todoOf(value)?.text ?? "", done }));
    });
    this.#text.rows = 1;
    this.#text.maxLength = kTextMax;
    this.#text.setAttribute("aria-label", "Words");
    this.#text.addEventListener("focus", () => (this.#before = this.#text.value));
    this.#text.addEventListener("blur", () => this.#commit());
    this.#text.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#text.value = todoOf(document.value)?.text ?? "";
      if (event.key !== "Escape" && event.key !== "Enter") return;
      event.preventDefault();
      this.#text.blur();
    });
    this.#elsewhere.setAttribute("role", "status");
    this.#elsewhere.hidden = this.#conflict.hidden = true;
    this.#conflict.setAttribute("role", "group");
    this.element.append(make("div", "row", this.#tick, this.#text, this.#mark, remove), this.#elsewhere, this.#conflict);
    this.#stop = document.on("change", (state) => {
      this.#show(state);
      actions.changed();
    });
    this.#show(document.state);
  }

  dispose(): void {
    this.#stop();
    this.element.remove();
  }

  #commit(): void {
    const text = tidyText(this.#text.value);
    const before = this.#before;
    this.#before = undefined;
    this.#elsewhere.hidden = true;
    if (text !== undefined && text !== before) {
      void this.document.update((value) => ({ done: todoOf(value)?.done ?? false, text }));
    }
    this.#show(this.document.state);
  }

  #show(state: DocumentState<Todo>): void {
    const todo = todoOf(state.value);
    const theirs = todoOf(state.conflict?.theirs);
    const text = todo?.text ?? theirs?.text ?? "";
    this.element.hidden = !todo && state.status !== "conflict";
    this.element.dataset.status = state.status;
    this.element.classList.toggle("done", todo?.done ?? false);
    this.#tick.checked = todo?.done ?? false;
    this.#tick.setAttribute("aria-label", `Done: ${text}`);
    if (this.#before === undefined) {
      this.#text.value = text;
    } else if (text !== this.#shown) {
      this.#elsewhere.textContent = `Changed elsewhere meanwhile to “${text}”. Enter replaces it, Escape keeps it.`;
      this.#elsewhere.hidden = false;
    }
    this.#shown = text;
    this.#mark.textContent = state.status === "pending" ? "not sent yet"
                           : state.status === "refused" ? `refused: ${state.refusal!.message}` : "";
    this.element.querySelector(".remove")!.setAttribute("aria-label", `Delete: ${text}`);
    this.#showConflict(state);
  }

  #showConflict({ conflict }: DocumentState<Todo>): void {
    const had = document.activeElement instanceof HTMLElement && this.#conflict.contains(document.activeElement);
    this.#conflict.hidden = !conflict;
    this.#conflict.replaceChildren();
    if (!conflict) {
      if (had) this.#text.focus();
      return;
    }
    const [mine, theirs] = [todoOf(conflict.mine), todoOf(conflict.theirs)];
    const title = make("p", "why", "Changed here and elsewhere. Which one shall it be?");
    this.#conflict.setAttribute("aria-label", title.textContent!);
    const choices = make("div", "choices",
      this.#side("Mine", mine, "Keep mine", () => this.#actions.choose(this.document, "mine")),
      this.#side("Theirs", theirs, "Take theirs", () => this.#actions.choose(this.document, "theirs")));
    this.#conflict.append(title, choices);
    if (mine && theirs) this.#conflict.append(button("Keep both", "both", () => this.#actions.keepBoth(this.document)));
  }

  #side(name: string, todo: Todo | undefined, label: string, choose: () => void): HTMLElement {
    const version = todo ? make("p", todo.done ? "version done" : "version", todo.text)
                         : make("p", "version gone", "deleted");
    return make("div", "side", make("h3", "", name), version, button(label, "", choose));
  }
}

function button(label: string, kind: string, act: () => void): HTMLButtonElement {
  const made = make("button", kind, label);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}
