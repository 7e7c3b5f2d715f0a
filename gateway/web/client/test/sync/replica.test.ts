// What an application sees of a replica, over a network in the test's hand.
import { describe, expect, it } from "vitest";
import { firstWins, lastWins, mergeMembers, type Conflict } from "../../src/sync/resolvers.ts";
import type { RemoteError } from "../../src/sync/remote.ts";
import { turns, World, type Machine } from "./support/world.ts";

const kUri = "demo:doc";

async function opened(machine: Machine) {
  const document = machine.replica.document<any>(kUri);
  await machine.world.calm();
  return document;
}

async function synced(machine: Machine) {
  const result = machine.replica.sync();
  await machine.world.calm();
  return result;
}

/** Two machines that both hold the value, and then both change it, the second one while away. */
async function inConflict(options = {}) {
  const world = new World();
  const [one, two] = [world.machine(options), world.machine(options)];
  world.server.write(kUri, { a: 1, b: 1 });
  const [first, second] = [await opened(one), await opened(two)];
  world.offline(two);
  await second.set({ a: 1, b: 2 });
  await first.set({ a: 2, b: 1 });
  await world.calm();
  world.back(two);
  await world.calm();
  return { world, one, two, first, second };
}

describe("a document", () => {
  it("is created by the first who writes it, and reaches the others with its place in the log", async () => {
    const world = new World();
    const [alice, bob] = [world.machine(), world.machine()];
    const [hers, his] = [await opened(alice), await opened(bob)];
    expect(hers.state.status).toBe("missing");
    await hers.set({ text: "hello" });
    expect(hers.state).toMatchObject({ status: "pending", value: { text: "hello" } });
    await world.calm();
    expect(hers.state.status).toBe("synced");
    expect(his.state).toEqual({ ...hers.state });
    expect(his.state.position).toEqual(world.server.last(kUri)!.tag);
    expect(world.server.requests.filter((request) => request.startsWith("PUT"))).toEqual([`PUT ${kUri} 201`]);
  });

  it("is taken from the watch without a request, and fetched where the watch can't carry it", async () => {
    const world = new World();
    const machine = world.machine();
    const document = await opened(machine);
    const before = world.server.requests.length;
    world.server.write(kUri, 1);
    await world.calm();
    expect([document.value, world.server.requests.length]).toEqual([1, before]);
    world.server.write(kUri, 2);
    machine.watcher.queue = [];  // the notice says only that there is something
    await synced(machine);
    expect(document.value).toBe(2);
  });

  it("asks only for what changed when it comes back", async () => {
    const world = new World();
    const machine = world.machine();
    world.server.write(kUri, "same");
    await opened(machine);
    machine.crash();
    machine.start();
    const before = world.server.requests.length;
    const again = await opened(machine);
    expect(again.state).toMatchObject({ status: "synced", value: "same" });
    expect(world.server.requests.slice(before)).toEqual([`GET ${kUri} 304`]);
    machine.crash();
    world.server.write(kUri, "other");
    machine.start();
    expect((await opened(machine)).value).toBe("other");
    expect(world.server.requests.at(-1)).toBe(`GET ${kUri} 200`);
  });

  it("is kept in step by polling alone", async () => {
    const world = new World();
    const [one, two] = [world.machine({ watcher: undefined }), world.machine({ watcher: undefined, pollEvery: 12_345 })];
    const [first, second] = [await opened(one), await opened(two)];
    await first.set("by polling");
    await world.calm();
    expect([world.server.value(kUri), second.value]).toEqual(["by polling", undefined]);
    for (const { ms, fire } of [...two.timers]) if (ms === 12_345) fire();
    await world.calm();
    expect(second.value).toBe("by polling");
  });

  it("edited while away is shown at once, kept over a reload, and sent once back", async () => {
    const world = new World();
    const machine = world.machine();
    world.server.write(kUri, 1);
    await opened(machine);
    world.offline(machine);
    await machine.replica.document<number>(kUri).update((value) => value! + 1);
    machine.crash();
    machine.start();
    const document = machine.replica.document(kUri);
    await turns();
    expect(document.state).toMatchObject({ value: 2, status: "pending" });
    world.back(machine);
    await world.calm();
    expect(document.state).toMatchObject({ value: 2, status: "synced" });
    expect(world.server.value(kUri)).toBe(2);
  });

  it("changed upon what was seen takes the next place in the log", async () => {
    const world = new World();
    const machine = world.machine();
    const document = await opened(machine);
    for (let i = 1; i <= 3; ++i) {
      await document.set(i);
      await world.calm();
      expect(document.state).toMatchObject({ status: "synced", value: i, position: { offset: i } });
    }
    expect(world.server.requests.filter((request) => request.startsWith("PUT")))
      .toEqual([`PUT ${kUri} 201`, `PUT ${kUri} 200`, `PUT ${kUri} 200`]);
  });

  it("edited often while away is sent once, as it is in the end", async () => {
    const world = new World();
    const machine = world.machine();
    const document = await opened(machine);
    world.offline(machine);
    for (let i = 0; i < 10; ++i) await document.set(i);
    world.back(machine);
    await world.calm();
    expect(world.server.appended.map(({ publication }) => publication)).toMatchObject([{ value: 9 }]);
  });

  it("deleted there is dropped here, told apart from one that never was", async () => {
    const world = new World();
    const [one, two] = [world.machine(), world.machine()];
    const [first, second] = [await opened(one), await opened(two)];
    await first.set("x");
    await world.calm();
    await first.delete();
    await world.calm();
    for (const document of [first, second]) {
      expect(document.state).toMatchObject({ value: undefined, status: "missing", position: { offset: 2 } });
    }
    expect(world.server.last(kUri)!.is).toBe("deleted");
    await second.set("again");
    await world.calm();
    expect(first.value).toBe("again");
  });

  it("deleted on both sides is settled without a word", async () => {
    const world = new World();
    const [one, two] = [world.machine(), world.machine()];
    world.server.write(kUri, "x");
    const [first, second] = [await opened(one), await opened(two)];
    world.offline(two);
    await second.delete();
    await first.delete();
    await world.calm();
    world.back(two);
    await world.calm();
    expect([first.state.status, second.state.status]).toEqual(["missing", "missing"]);
    expect(world.server.appended).toHaveLength(2);
  });

  it("changed to the same on both sides is no conflict: the tag is taken", async () => {
    const world = new World();
    const [one, two] = [world.machine(), world.machine()];
    const [first, second] = [await opened(one), await opened(two)];
    world.offline(two);
    await second.set({ a: 1, b: 2 });
    await first.set({ b: 2, a: 1 });
    await world.calm();
    world.back(two);
    await world.calm();
    expect(second.state).toMatchObject({ status: "synced", position: { offset: 1 } });
    expect(world.server.appended).toHaveLength(1);
  });

  it("that the server lost is given back; one that it deleted is not", async () => {
    const world = new World();
    const machine = world.machine();
    const document = await opened(machine);
    await document.set("precious");
    await world.calm();
    world.server.reset(kUri);
    await world.calm();
    expect(world.server.value(kUri)).toBe("precious");
    expect(document.state).toMatchObject({ status: "synced", value: "precious" });
  });

  it("after a reset is fetched anew, and what was written meanwhile is a conflict", async () => {
    const world = new World();
    const [clean, dirty] = [world.machine(), world.machine()];
    world.server.write(kUri, "old");
    const [first, second] = [await opened(clean), await opened(dirty)];
    for (const machine of [clean, dirty]) world.offline(machine);
    await second.set("mine");
    world.server.reset(kUri);
    world.server.write(kUri, "new life");
    for (const machine of [clean, dirty]) world.back(machine);
    await world.calm();
    expect(first.state).toMatchObject({ status: "synced", value: "new life" });
    expect(second.state.conflict).toMatchObject({ base: "old", mine: "mine", theirs: "new life" });
  });

  it("is refused for good with the server's reason, keeps the change, and may be tried again", async () => {
    const world = new World();
    const machine = world.machine();
    const errors: RemoteError[] = [];
    machine.replica.on("error", ({ error }) => errors.push(error));
    const document = await opened(machine);
    world.server.refusals.push({ status: 403, code: "permission_denied", temporary: false });
    await document.set("x");
    await world.calm();
    expect(document.state).toMatchObject({ status: "refused", value: "x", refusal: { code: "permission_denied" } });
    expect(errors).toMatchObject([{ code: "permission_denied", temporary: false }]);
    expect(await machine.replica.forget(kUri)).toBe(false);
    expect((await synced(machine)).settled).toEqual([kUri]);
    expect(world.server.value(kUri)).toBe("x");
  });

  it("is tried again by itself, later and later, while the server is short of something", async () => {
    const world = new World();
    const machine = world.machine();
    const waits: (number | undefined)[] = [];
    machine.replica.on("error", ({ retryIn }) => waits.push(retryIn));
    const document = await opened(machine);
    for (let i = 0; i < 3; ++i) world.server.refusals.push({ status: 503, code: "storage_unavailable", temporary: true });
    await document.set("x");
    await world.calm();
    expect(document.state.status).toBe("synced");
    expect(waits).toEqual([1, 1, 2]);  // half of 1, 2 and 4
  });
});

describe("a conflict", () => {
  it("is kept for the application, with all three values, until it decides", async () => {
    const { world, first, second } = await inConflict();
    expect(second.state).toMatchObject({
      status: "conflict", value: { a: 1, b: 2 },
      conflict: { base: { a: 1, b: 1 }, mine: { a: 1, b: 2 }, theirs: { a: 2, b: 1 }, unsure: false },
    });
    expect(world.server.value(kUri)).toEqual({ a: 2, b: 1 });
    expect(await second.resolve({ value: { a: 2, b: 2 } })).toBe(true);
    await world.calm();
    for (const document of [first, second]) expect(document.state).toMatchObject({ status: "synced", value: { a: 2, b: 2 } });
  });

  it.each([["mine", { a: 1, b: 2 }], ["theirs", { a: 2, b: 1 }], ["delete", undefined]] as const)(
    "is settled by %s", async (how, value) => {
      const { world, first, second } = await inConflict();
      await second.resolve(how);
      await world.calm();
      expect([first.value, second.value, second.state.conflict]).toEqual([value, value, undefined]);
    });

  it.each([
    ["first wins", firstWins, { a: 2, b: 1 }],
    ["last wins", lastWins, { a: 1, b: 2 }],
    ["members are merged", mergeMembers(), { a: 2, b: 2 }],
    ["an own function decides, in its own time", async ({ base, mine, theirs }: Conflict<any>) => {
      await turns();
      return { value: { a: base.a + mine.a + theirs.a } };
    }, { a: 4 }],
    ["it is deleted", () => "delete" as const, undefined],
  ])("is settled by itself: %s", async (_, resolve, value) => {
    const { first, second } = await inConflict({ resolve });
    expect([first.value, second.value]).toEqual([value, value]);
    expect([first.state.status, second.state.status]).toEqual(value ? ["synced", "synced"] : ["missing", "missing"]);
  });

  it("is told as an event, and how it was settled too", async () => {
    const world = new World();
    const machine = world.machine({ resolve: firstWins });
    const told: unknown[] = [];
    machine.replica.on("conflict", ({ mine, theirs }) => told.push([mine, theirs]));
    machine.replica.on("resolved", ({ how }) => told.push(how));
    const document = await opened(machine);
    world.offline(machine);
    await document.set("mine");
    world.server.write(kUri, "theirs");
    world.back(machine);
    await world.calm();
    expect(told).toEqual([["mine", "theirs"], "theirs"]);
  });

  it("of an edit with a deletion is one in both directions", async () => {
    for (const [here, there] of [["edit", undefined], [undefined, "edit"]]) {
      const world = new World();
      const [one, two] = [world.machine(), world.machine()];
      world.server.write(kUri, "old");
      const [first, second] = [await opened(one), await opened(two)];
      world.offline(two);
      await second.update(() => here);
      await first.update(() => there);
      await world.calm();
      world.back(two);
      await world.calm();
      expect(second.state.conflict).toMatchObject({ base: "old", mine: here, theirs: there });
      await second.resolve("mine");
      await world.calm();
      expect([first.value, second.value]).toEqual([here, here]);
    }
  });

  it("that moved on is not settled by a judgement of what it was", async () => {
    const { world, first, second } = await inConflict();
    const seen = second.state.conflict;
    await first.set({ a: 3, b: 1 });
    await world.calm();
    expect(await second.resolve("theirs", seen)).toBe(false);
    expect(second.state.conflict).toMatchObject({ theirs: { a: 3, b: 1 } });
    expect(await second.resolve("theirs")).toBe(true);
  });

  it("with a resolver that fails stays one, and is asked about again later", async () => {
    let calls = 0;
    const { world, second } = await inConflict({
      resolve: () => {
        if (++calls < 3) throw new Error("no idea");
        return "theirs";
      },
    });
    await world.calm();
    expect(calls).toBe(3);
    expect([second.value, second.state.status]).toEqual([{ a: 2, b: 1 }, "synced"]);
  });
});

describe("two tabs", () => {
  it("share one copy: what one does the other shows, and the server hears of it once", async () => {
    const world = new World();
    const machine = world.machine();
    const first = await opened(machine);
    const second = machine.start().document<string>(kUri);
    await world.calm();
    await first.set("from the first");
    await turns();
    expect(second.state).toMatchObject({ status: "pending", value: "from the first" });
    await world.calm();
    for (const document of [first, second]) expect(document.state.status).toBe("synced");
    expect(world.server.appended).toHaveLength(1);
    await second.delete();
    await world.calm();
    expect([first.state.status, world.server.appended.length]).toEqual(["missing", 2]);
  });
});

describe("working without the server", () => {
  it("is what a paused replica does, until it is told to sync or resumes", async () => {
    const world = new World();
    const machine = world.machine();
    const document = await opened(machine);
    machine.replica.pause();
    await document.set(1);
    await world.calm();
    expect([world.server.value(kUri), document.state.status]).toEqual([undefined, "pending"]);
    expect((await synced(machine)).settled).toEqual([kUri]);
    await document.set(2);
    await world.calm();
    expect(world.server.value(kUri)).toBe(1);
    machine.replica.resume();
    await world.calm();
    expect([world.server.value(kUri), document.state.status]).toEqual([2, "synced"]);
  });
});

describe("a collection", () => {
  it("keeps what either side added, and loses what either side removed", async () => {
    const world = new World();
    const [one, two] = [world.machine(), world.machine()];
    const lists = [one, two].map(({ replica }) => replica.collection<string>("demo:list"));
    await lists[0]!.add("demo:a", "A");
    await world.calm();
    world.offline(two);
    await lists[1]!.add("demo:c", "C");
    await lists[1]!.remove("demo:a");
    await lists[0]!.add("demo:b", "B");
    await world.calm();
    world.back(two);
    await world.calm();
    for (const list of lists) {
      expect(list.uris).toEqual(["demo:b", "demo:c"]);
      expect(list.documents.map(({ value }) => value)).toEqual(["B", "C"]);
    }
    expect(world.server.last("demo:a")!.is).toBe("deleted");
  });

  it("begun on two sides at once becomes one", async () => {
    const world = new World();
    const machines = [world.machine(), world.machine()];
    const lists = machines.map(({ replica }) => replica.collection<number>("demo:list"));
    for (const machine of machines) world.offline(machine);
    await lists[0]!.add("demo:a", 1);
    await lists[1]!.add("demo:b", 2);
    for (const machine of machines) world.back(machine);
    await world.calm();
    for (const list of lists) expect([...list.uris].sort()).toEqual(["demo:a", "demo:b"]);
  });
});
