// Who is in a channel: the set as the server last told it, and who came and went since. Users count,
// not sessions: somebody with two tabs is there once, until both are gone.
import type { Member, PresencePage } from "./types.ts";

export class Presence {
  readonly #members = new Map<string, Member>();
  /** How many users are there; more than `members` when the server told only the first of them. */
  users = 0;

  get members(): Member[] {
    return [...this.#members.values()];
  }

  set({ members, users, count }: PresencePage): void {
    this.#members.clear();
    for (const member of members) this.#add(member);
    this.users = Math.max(users ?? count, this.#members.size);
  }

  join(member: Member): void {
    if (this.#add(member)) ++this.users;
  }

  leave(member: Member): void {
    this.#members.delete(keyOf(member));
    this.users = Math.max(this.users - 1, this.#members.size);
  }

  #add(member: Member): boolean {
    const key = keyOf(member);
    const isNew = !this.#members.has(key);
    if (isNew) this.#members.set(key, member);
    return isNew;
  }
}

/** Users and sessions have names of their own: they never stand for one another. */
function keyOf({ user, session }: Member): string {
  return user === undefined ? `session ${session}` : `user ${user}`;
}
