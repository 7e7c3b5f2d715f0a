// Who is in the room, as far as this tab has heard. A tab says that it is here now and then; one
// that has not been heard for long is taken to be gone. Time is passed in.
export interface Person {
  id: string;
  name: string;
  gateway: string;
  heardAt: number;
}

/** How often a tab says that it is here, in ms. Background tabs may only do so once a minute. */
export const kAnnounceEvery = 20_000;
export const kGoneAfter = 100_000;

export class Roster {
  readonly #people = new Map<string, Person>();

  /** Returns true when the person is new. */
  heard(person: Omit<Person, "heardAt">, now: number): boolean {
    const isNew = !this.#people.has(person.id);
    this.#people.set(person.id, { ...person, heardAt: now });
    return isNew;
  }

  left(id: string): Person | undefined {
    const person = this.#people.get(id);
    this.#people.delete(id);
    return person;
  }

  /** Drops those not heard for long, except `self`. Returns whether anyone was dropped. */
  sweep(now: number, self: string): boolean {
    const before = this.#people.size;
    for (const { id, heardAt } of [...this.#people.values()]) {
      if (id !== self && now - heardAt > kGoneAfter) this.#people.delete(id);
    }
    return this.#people.size < before;
  }

  /** `self` first, then by name. */
  people(self: string): Person[] {
    return [...this.#people.values()].sort((a, b) =>
      Number(b.id === self) - Number(a.id === self) || a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1));
  }
}
