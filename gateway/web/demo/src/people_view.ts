// The people in the room, each with the gateway that its tab is on.
import { byId, make } from "./dom.ts";
import { hueOf, initials } from "./identity.ts";
import type { Person } from "./roster.ts";

export class PeopleView {
  readonly #list = byId("people");
  readonly #count = byId("people-count");
  readonly #self: string;
  #shown = "";

  constructor(self: string) {
    this.#self = self;
  }

  show(people: Person[]): void {
    const shown = JSON.stringify(people.map(({ id, name, gateway }) => [id, name, gateway]));
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#count.textContent = String(people.length);
    this.#list.replaceChildren(...people.map((person) => this.#item(person)));
  }

  #item({ id, name, gateway }: Person): HTMLElement {
    const avatar = make("span", "avatar", initials(name));
    avatar.setAttribute("aria-hidden", "true");
    const who = make("span", "who", name);
    if (id === this.#self) who.append(make("span", "you", " (you)"));
    const item = make("li", "", avatar, who, make("span", "where", gateway));
    item.style.setProperty("--hue", String(hueOf(id)));
    return item;
  }
}
