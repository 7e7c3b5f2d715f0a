// Two or three browsers over a network that delays, reorders and loses requests and answers,
// browsers that crash, work offline, and open a second tab, a server that loses its logs: thousands
// of random histories, each from its own seed. In the end all have the same, and nothing that was
// kept here went missing without a word or was done twice.
import { expect, it } from "vitest";
import type { Replica, ReplicaOptions } from "../../src/sync/replica.ts";
import { firstWins, lastWins, mergeSets, type Conflict, type Resolver } from "../../src/sync/resolvers.ts";
import { randomOf } from "../support/random.ts";
import { turns, World, type Machine } from "./support/world.ts";

const kHistories = Number(process.env.PEAL_HISTORIES ?? 1200);
const kSteps = 60;
const kUris = ["demo:a", "demo:b"];

interface Note {
  marks: string[];
}

const union: Resolver<Note> = ({ base, mine, theirs }) => {
  if (!mine) return "theirs";
  if (!theirs) return "mine";
  return { value: { marks: mergeSets(base?.marks ?? [], mine.marks, theirs.marks) } };
};

const kWays = {
  "marks are united": { resolve: union },
  "marks are united, polling only": { resolve: union, watcher: undefined },
  "first wins": { resolve: firstWins },
  "last wins": { resolve: lastWins },
  "with deletions": { resolve: union, deletes: true },
  "with a server that forgets": { resolve: union, resets: true, deletes: true },
} satisfies Record<string, Partial<ReplicaOptions> & { deletes?: true; resets?: true }>;

interface Edit {
  mark: string;
  uri: string;
  machine: number;
}

class History {
  readonly world = new World();
  readonly random: () => number;
  readonly way: keyof typeof kWays;
  /** Edits whose `update` was fulfilled, in order. */
  readonly kept: Edit[] = [];
  /** All that were begun: one that a crash cut off may have been kept all the same. */
  readonly begun: Edit[] = [];
  readonly conflicts: Conflict<Note>[] = [];
  #marks = 0;

  constructor(seed: number) {
    this.random = randomOf(seed);
    const ways = Object.keys(kWays) as (keyof typeof kWays)[];
    this.way = ways[seed % ways.length]!;
    const { deletes, resets, ...options } = kWays[this.way] as (typeof kWays)["with a server that forgets"];
    for (let i = 0; i < 2 + Math.floor(this.random() * 2); ++i) this.open(this.world.machine(options));
  }

  is(wish: "deletes" | "resets"): boolean {
    return wish in kWays[this.way];
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.random() * items.length)];
  }

  open(machine: Machine): void {
    const { replica } = machine.tabs.at(-1)!;
    replica.on("conflict", (conflict) => this.conflicts.push(conflict as Conflict<Note>));
    for (const uri of kUris) {
      let last = replica.document(uri).state.position;
      replica.document(uri).on("change", ({ position }) => {
        const back = position && last?.epoch === position.epoch && position.offset < last.offset;
        expect(back ?? false, `${uri} never goes back in its log`).toBe(false);
        last = position ?? last;
      });
    }
  }

  edit(machine: Machine, replica: Replica): void {
    const uri = this.pick(kUris)!;
    const document = replica.document<Note>(uri);
    if (this.is("deletes") && this.random() < 0.15) return void document.delete();
    const mark = `${this.world.machines.indexOf(machine)}.${++this.#marks}`;
    const edit = { mark, uri, machine: this.world.machines.indexOf(machine) };
    this.begun.push(edit);
    const united = kWays[this.way].resolve === union;
    void document.update((value) => ({ marks: united ? [...(value?.marks ?? []), mark] : [mark] }))
      .then(() => this.kept.push(edit));
  }

  async step(): Promise<void> {
    const { world } = this;
    const machine = this.pick(world.machines)!;
    const tab = this.pick(machine.tabs);
    const dice = this.random();
    if (dice < 0.18 && tab) this.edit(machine, tab.replica);
    else if (dice < 0.40) await this.pick(world.flights.filter(({ response }) => !response))?.reach();
    else if (dice < 0.62) this.pick(world.flights.filter(({ response }) => response))?.land();
    else if (dice < 0.68) this.pick(world.flights)?.lose();
    else if (dice < 0.82) this.pick(world.told())?.queue.shift()!();
    else if (dice < 0.86) this.pick([...machine.timers])?.fire();
    else if (dice < 0.89) machine.online ? world.offline(machine) : world.back(machine);
    else if (dice < 0.91) machine.crashAfter = Math.floor(this.random() * 4);
    else if (dice < 0.94) machine.tabs.length < 2 && (machine.start(), this.open(machine));
    else if (dice < 0.95 && this.is("resets")) world.server.reset(this.pick(kUris)!);
    await turns();
  }

  /** Everybody is back, and everything arrives. */
  async end(): Promise<void> {
    const { world } = this;
    await turns();
    for (const machine of world.machines) {
      machine.crashAfter = Infinity;
      if (!machine.tabs.length) machine.start(), this.open(machine);
      if (!machine.online) world.back(machine);
    }
    await world.calm();
    // Twice: what the last one sends, the first one must still fetch where nothing is watched.
    for (let round = 0; round < 2; ++round) {
      for (const { replica } of world.machines.flatMap(({ tabs }) => tabs)) {
        const synced = replica.sync();
        await world.calm();
        expect((await synced).settled.sort()).toEqual(kUris);
      }
    }
  }

  judge(): void {
    for (const uri of kUris) {
      const there = this.world.server.value(uri) as Note | undefined;
      for (const { replica } of this.world.machines.flatMap(({ tabs }) => tabs)) {
        const { value, status } = replica.document<Note>(uri).state;
        expect({ uri, value, status }).toEqual({ uri, value: there, status: there ? "synced" : "missing" });
      }
      this.judgeOnce(uri);
    }
    if (!this.is("deletes")) for (const edit of this.kept) this.judgeEdit(edit);
  }

  /** No edit is done twice: a mark comes in once, and again only where it had been taken out. */
  judgeOnce(uri: string): void {
    if (this.is("resets")) return;  // what is given back to a server that forgot comes again
    const came = new Map<string, number>();
    let before: string[] = [];
    for (const { publication } of this.world.server.appended.filter((each) => each.uri === uri)) {
      const marks = publication.is === "value" ? (publication.value as Note).marks : [];
      expect(new Set(marks).size, "no mark stands twice").toBe(marks.length);
      for (const mark of marks) if (!before.includes(mark)) came.set(mark, (came.get(mark) ?? 0) + 1);
      before = marks;
    }
    if (this.is("deletes")) return;  // an edit that wins against a deletion brings back its marks
    for (const [mark, times] of came) expect({ mark, times }).toEqual({ mark, times: 1 });
  }

  /** An edit that was kept here is in the end there, or came under a later one here, or somebody
   *  was asked about it. */
  judgeEdit({ mark, uri, machine }: Edit): void {
    const { world } = this;
    if (kWays[this.way].resolve === union) {
      expect((world.server.value(uri) as Note | undefined)?.marks, `${mark} is there`).toContain(mark);
      return;
    }
    const there = world.server.appended.some(({ publication }) =>
      publication.is === "value" && (publication.value as Note).marks.includes(mark));
    const asked = this.conflicts.some(({ mine }) => mine?.marks.includes(mark));
    const mine = this.begun.filter((edit) => edit.uri === uri && edit.machine === machine);
    expect(there || asked || mine.at(-1)!.mark !== mark, `${mark} is there, or was asked about`).toBe(true);
  }
}

it(`in ${kHistories} histories all converge, and nothing is lost or done twice`, { timeout: 600_000 }, async () => {
  const first = Number(process.env.PEAL_SEED ?? 1);
  let conflicts = 0;
  for (let seed = first; seed < first + kHistories; ++seed) {
    try {
      const history = new History(seed);
      for (let i = 0; i < kSteps; ++i) await history.step();
      await history.end();
      history.judge();
      conflicts += history.conflicts.length;
    } catch (error) {
      throw new Error(`PEAL_SEED=${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  expect(conflicts, "the histories are worth their time").toBeGreaterThan(kHistories / 4);
});
