// A browser that crashes at any moment between two steps, and a network that loses answers: what
// was done here reaches the server once, and what came back late overwrites nothing.
import { describe, expect, it } from "vitest";
import { lastWins } from "../../src/sync/resolvers.ts";
import { turns, World, type Flight } from "./support/world.ts";

const kUri = "demo:doc";

function flight(world: World, method: string): Flight {
  const found = world.flights.find(({ name }) => name.startsWith(method));
  if (!found) throw new Error(`no ${method} among ${world.flights.map(({ name }) => name)}`);
  return found;
}

/** Crashes at the n-th step from now; the request that is on its way then arrives, or doesn't. */
async function crashAt(step: number, arrives: boolean, edit: "create" | "change" | "delete", later: boolean) {
  const world = new World();
  const machine = world.machine({ resolve: lastWins });
  if (edit !== "create") world.server.write(kUri, "old");
  const before = machine.replica.document<string>(kUri);
  await world.calm();
  const begun = world.server.appended.length;
  machine.crashAfter = step;
  const value = edit === "delete" ? undefined : "mine";
  void before.update(() => value);
  await turns();
  for (let round = 0; round < 3; ++round) {
    for (const each of [...world.flights]) {
      if (arrives) await each.reach();
      each.land();
    }
    await turns();
  }
  const crashed = machine.crashAfter < 0;
  machine.crash();
  const changed = arrives && world.server.appended.length > begun;
  // Somebody saw what we did, and went on from there: it must not be done to their work again.
  if (later && changed && edit !== "delete") world.server.write(kUri, `${world.server.value(kUri)}, and theirs`);
  machine.start();
  const document = machine.replica.document<string>(kUri);
  await world.calm();
  return { world, document, crashed, changed, begun, value };
}

describe("a crash", () => {
  const cases = (["create", "change", "delete"] as const).flatMap((edit) =>
    [true, false].flatMap((arrives) => [true, false].map((later) => ({ edit, arrives, later }))));
  it.each(cases)("at any step of a $edit (arrives: $arrives, seen by another: $later) applies it once or leaves it undone",
    async ({ edit, arrives, later }) => {
      let steps = 0;
      for (let crashed = true; crashed; ++steps) {
        const run = await crashAt(steps, arrives, edit, later);
        crashed = run.crashed;
        const { world, document, changed, begun, value } = run;
        const mine = world.server.appended.slice(begun).filter(({ publication }) =>
          publication.is === "deleted" ? edit === "delete" : publication.value === "mine");
        // Step 0 is where the edit itself is kept: before it nothing was promised.
        expect(mine.length, `crash at step ${steps}`).toBe(steps === 0 ? 0 : 1);
        if (steps === 0) continue;
        const expected = later && changed && edit !== "delete" ? "mine, and theirs" : value;
        expect([world.server.value(kUri), document.value]).toEqual([expected, expected]);
        expect(document.state.status).toBe(expected === undefined ? "missing" : "synced");
      }
      expect(steps, "every step was tried").toBeGreaterThan(3);
    });

  it("is not mistaken for a success when somebody else was first", async () => {
    const world = new World();
    const machine = world.machine();
    world.server.write(kUri, "old");
    const before = machine.replica.document(kUri);
    await world.calm();
    await before.set("mine");
    await turns();
    machine.crash();
    world.server.write(kUri, "theirs");
    machine.start();
    const document = machine.replica.document(kUri);
    await world.calm();
    expect(document.state.conflict).toMatchObject({ base: "old", mine: "mine", theirs: "theirs", unsure: false });
  });

  it("whose traces the log no longer keeps ends in a conflict that says so", async () => {
    const world = new World();
    world.server.lengthMax = 1;
    const machine = world.machine();
    world.server.write(kUri, "old");
    const before = machine.replica.document(kUri);
    await world.calm();
    await before.set("mine");
    await turns();
    await flight(world, "PUT").reach();
    machine.crash();
    world.server.write(kUri, "theirs");
    machine.start();
    const document = machine.replica.document(kUri);
    await world.calm();
    expect(document.state.conflict).toMatchObject({ mine: "mine", theirs: "theirs", unsure: true });
  });
});

describe("a lost answer", () => {
  it("is asked for again, and the change stands once", async () => {
    const world = new World();
    const machine = world.machine();
    const document = machine.replica.document(kUri);
    await world.calm();
    await document.set("mine");
    await turns();
    await flight(world, "PUT").reach();
    machine.watcher.broken();
    flight(world, "PUT").lose();
    await world.calm();
    expect(world.server.appended).toHaveLength(1);
    expect(document.state).toMatchObject({ status: "synced", value: "mine" });
  });

  it("lets what was written meanwhile follow, after it and on top of it", async () => {
    const world = new World();
    const machine = world.machine();
    const document = machine.replica.document(kUri);
    await world.calm();
    await document.set(1);
    await turns();
    await flight(world, "PUT").reach();
    machine.watcher.broken();
    await document.set(2);
    flight(world, "PUT").lose();
    await world.calm();
    expect(world.server.appended.map(({ publication }) => (publication as any).value)).toEqual([1, 2]);
    expect(document.state).toMatchObject({ status: "synced", value: 2, position: { offset: 2 } });
  });
});

describe("a stale answer", () => {
  it("to a GET is given up when the watch is faster", async () => {
    const world = new World();
    const machine = world.machine();
    world.server.write(kUri, 1);
    const document = machine.replica.document(kUri);
    await turns();
    await flight(world, "GET").reach();
    world.server.write(kUri, 2);
    await turns();
    while (machine.watcher.queue.length) machine.watcher.queue.shift()!();
    await turns();
    expect(document.value).toBe(2);
    for (const each of [...world.flights]) each.land();
    await world.calm();
    expect(document.value).toBe(2);
  });

  it("of a 404 does not undo what was created since", async () => {
    const world = new World();
    const machine = world.machine();
    const document = machine.replica.document(kUri);
    await turns();
    const late = flight(world, "GET");
    await late.reach();
    world.server.write(kUri, "created");
    while (machine.watcher.queue.length) machine.watcher.queue.shift()!();
    await turns();
    late.land();
    await turns();
    expect(document.value).toBe("created");
  });
});

describe("a server that loses a channel", () => {
  it("while a change is being acknowledged is noticed, and given the change back", async () => {
    const world = new World();
    const machine = world.machine();
    const document = machine.replica.document(kUri);
    await world.calm();
    await document.set("mine");
    await turns();
    const put = flight(world, "PUT");
    await put.reach();
    machine.watcher.queue = [];
    world.server.reset(kUri);
    machine.watcher.queue.shift()!();
    await turns();
    await turns();
    put.land();
    await world.calm();
    expect([world.server.value(kUri), document.state.status]).toEqual(["mine", "synced"]);
  });
});
