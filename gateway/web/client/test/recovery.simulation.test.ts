// Recovery under everything at once: thousands of random histories, each from its own seed. Channels
// are appended to, trimmed, compacted and begun anew; links break, are blocked, lose single pushes and
// sleep; wishes change. Whatever happens, each channel hears all that is there, once and in order, or
// is told that the past is gone; and it always ends up where the log is.
import { expect, it } from "vitest";
import { LogWorld } from "./support/log_world.ts";

const kHistories = 2500;
const kSteps = 250;
const kChannels = ["a", "b", "c", "d", "ephemeral"];

function wild(world: LogWorld): void {
  const roll = world.random();
  if (roll < 0.25) {
    world.server.append(world.pick(kChannels), () => world.lossy && world.chance(0.05));
  } else if (roll < 0.27) {
    world.break();
  } else if (roll < 0.32) {
    const timer = world.pick([...world.timers]);
    if (timer) world.fire(timer);
  } else if (roll < 0.34) {
    world.publish();
  } else if (roll < 0.38) {
    const channel = world.pick(kChannels);
    if (world.heard.has(channel)) world.unwant(channel);
    else world.want(channel);
  } else if (roll < 0.39) {
    world.feed({ on: "hint", hint: world.pick(["online", "offline", "awake"] as const) });
  } else if (roll < 0.4) {
    const channel = world.pick(kChannels);
    if (world.chance(0.6)) world.server.trim(channel, world.server.log(channel).top - 2);
    else if (world.chance(0.5)) world.server.renew(channel);
    else world.server.compact(channel, Math.ceil(world.random() * world.server.log(channel).top));
  } else if (roll < 0.41) {
    world.server.quiet();
  } else if (roll < 0.42) {
    const way = world.pick(["websocket", "sse"] as const);
    if (!world.blocked.delete(way)) world.blocked.add(way);
  } else {
    world.move();
  }
}

/** Nothing breaks any more: what is on its way arrives, and what waits for its time gets it. */
function calm(world: LogWorld): void {
  world.lossy = false;
  const waits = ["retry", "resubscribe", "follow", "stream"] as const;
  for (let i = 0, still = 0; i < 800 && still < 60; ++i) {
    if (world.move()) continue;
    const timer = waits.find((timer) => world.timers.has(timer));
    if (timer) world.fire(timer);
    else if (++still % 20 === 10) world.server.quiet();
  }
}

function history(seed: number): LogWorld {
  const world = new LogWorld(seed);
  world.lossy = world.chance(0.7);
  if (world.chance(0.5)) world.blocked.add("websocket");
  if (world.chance(0.3)) world.blocked.add("sse");
  for (let i = 0; i < kSteps; ++i) wild(world);
  calm(world);
  expect(world.state).toBe("connected");
  for (const [channel, { position }] of world.heard) {
    expect(world.told.get(channel), channel).toBe("subscribed");
    const { epoch, top, kept, ephemeral } = world.server.log(channel);
    if (ephemeral) continue;
    expect(position!.epoch, `${channel} is in the log's epoch`).toBe(epoch);
    for (let offset = position!.offset + 1; offset <= top; ++offset) {
      expect(kept.has(offset), `${channel} never heard of ${offset}`).toBe(false);
    }
  }
  for (const [ticket, outcomes] of world.outcomes) {
    expect(outcomes, `publish ${ticket} is settled once`).toHaveLength(1);
    const times = world.done.get(ticket) ?? 0;
    expect(times, `publish ${ticket} is sent at most once`).toBeLessThanOrEqual(1);
    if (outcomes[0] === "ok") expect(times).toBe(1);
  }
  return world;
}

it(`misses nothing and gets nothing twice in ${kHistories} random histories`, { timeout: 600_000 }, () => {
  const used = new Set<string>();
  let [delivered, resets] = [0, 0];
  for (let seed = 1; seed <= kHistories; ++seed) {
    try {
      const world = history(seed);
      for (const transport of world.used) used.add(transport);
      for (const heard of world.heard.values()) {
        delivered += heard.count;
        resets += heard.resets;
      }
    } catch (error) {
      (error as Error).message = `seed ${seed}: ${(error as Error).message}`;
      throw error;
    }
  }
  expect([...used].sort()).toEqual(["poll", "sse", "websocket"]);
  expect(delivered).toBeGreaterThan(kHistories * 5);
  expect(resets).toBeGreaterThan(kHistories / 20);
});
