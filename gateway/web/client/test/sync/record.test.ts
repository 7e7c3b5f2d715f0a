// The record of one document: what each step makes of it, and that no order of news matters.
import { describe, expect, it } from "vitest";
import {
  acknowledge, begin, edit, fresh, inConflict, observe, refuse, refute, resolve, retry, valueOf,
  type Remote, type Stored,
} from "../../src/sync/record.ts";
import { randomOf } from "../support/random.ts";

const value = (offset: number, what: unknown, epoch = "aaaaaaaa"): Remote =>
  ({ is: "value", tag: { epoch, offset }, value: what });
const deleted = (offset: number, epoch = "aaaaaaaa"): Remote => ({ is: "deleted", tag: { epoch, offset } });
const at = (offset: number, epoch = "aaaaaaaa") => ({ epoch, offset });

function held(what: unknown = "old", offset = 1): Stored {
  return observe(fresh("a"), value(offset, what));
}

function sending(what: unknown = "mine"): Stored {
  return begin(edit(held(), what, "op"));
}

describe("news", () => {
  it("in any order, and any number of times, leave the newest, and never show an older one after it", () => {
    for (let seed = 1; seed <= 2000; ++seed) {
      const random = randomOf(seed);
      const log = Array.from({ length: 12 }, (_, i) => (random() < 0.2 ? deleted(i + 1) : value(i + 1, `v${i + 1}`)));
      let record = fresh("a");
      let newest = 0;
      for (let i = 0; i < 30; ++i) {
        const news = log[Math.floor(random() * log.length)]!;
        // An answer to a request that was made any time ago, or the watch.
        const asOf = random() < 0.5 ? undefined : Math.floor(random() * (record.heard + 1));
        record = observe(record, news, asOf);
        newest = Math.max(newest, news.tag!.offset);
        const shown = log[newest - 1] as Remote & { value?: unknown };
        if (valueOf(record) === shown.value && record.base?.tag?.offset === newest) continue;
        expect.fail(`seed ${seed}: ${JSON.stringify(record)}, not ${newest}`);
      }
    }
  });

  it("without a place count only when nothing else was heard since they were asked for", () => {
    const record = held();
    expect(observe(record, { is: "nothing" }, record.heard - 1)).toBe(record);
    expect(observe(record, { is: "nothing" })).toBe(record);
    expect(observe(record, { is: "nothing" }, record.heard).change).toMatchObject({ restored: true, value: "old" });
  });

  it("of an epoch that was left are old, those of a new one are not", () => {
    const moved = observe(held("old", 9), value(1, "new", "bbbbbbbb"));
    expect(valueOf(moved)).toBe("new");
    expect(observe(moved, value(10, "late"))).toBe(moved);
    // An answer can say that the old epoch is back (a dump was loaded): nothing else was heard.
    expect(valueOf(observe(moved, value(9, "restored"), moved.heard))).toBe("restored");
  });

  it("that are what is being sent are its acknowledgement", () => {
    const record = observe(sending(), value(2, "mine"));
    expect(record).toMatchObject({ base: value(2, "mine") });
    expect([record.sending, record.change]).toEqual([undefined, undefined]);
  });

  it("that are something else wait until the fate of what is being sent is known", () => {
    const waiting = observe(sending(), value(3, "theirs"));
    expect(inConflict(waiting)).toBe(false);
    const applied = acknowledge(waiting, "op", at(2));
    expect([valueOf(applied), applied.change]).toEqual(["theirs", undefined]);
    const refused = refute(waiting, "op");
    expect(inConflict(refused)).toBe(true);
    expect(valueOf(refused)).toBe("mine");
  });
});

describe("an acknowledgement", () => {
  it("counts for what was sent, not for what was written meanwhile", () => {
    const record = acknowledge(edit(sending("one"), "two", "op2"), "op", at(2));
    expect(record).toMatchObject({ base: value(2, "one"), change: { op: "op2", value: "two" } });
    expect(begin(record).sending).toMatchObject({ op: "op2" });
  });

  it("counts once, and not for another change", () => {
    const done = acknowledge(sending(), "op", at(2));
    expect(acknowledge(done, "op", at(2))).toBe(done);
    const other = sending();
    expect(acknowledge(other, "another", at(2))).toBe(other);
  });

  it("from an epoch that is over is none: the change is not on the server any more", () => {
    const moved = observe(sending(), value(1, "new life", "bbbbbbbb"));
    const record = acknowledge(moved, "op", at(2));
    expect(inConflict(record)).toBe(true);
    expect(valueOf(record)).toBe("mine");
  });
});

describe("an edit", () => {
  it("back to what the server has is none", () => {
    expect(edit(edit(held("old"), "new", "1"), "old", "2").change).toBeUndefined();
  });

  it("that is deleted again before anybody heard of it leaves nothing to send", () => {
    const record = edit(edit(fresh("a"), "draft", "1"), undefined, "2");
    expect([record.change, begin(record).sending]).toEqual([undefined, undefined]);
  });

  it("that the server refused waits for another one, or for a retry", () => {
    const refused = refuse(sending(), "op", { code: "permission_denied", message: "no" });
    expect(begin(refused).sending).toBeUndefined();
    expect(begin(retry(refused)).sending).toMatchObject({ op: "op" });
    expect(begin(edit(refused, "other", "op2")).sending).toMatchObject({ op: "op2" });
  });

  it("in a conflict that equals theirs ends it", () => {
    const conflict = observe(edit(held(), "mine", "op"), value(2, "theirs"));
    expect(inConflict(conflict)).toBe(true);
    expect(edit(conflict, "theirs", "op2")).toMatchObject({ base: value(2, "theirs") });
    expect(inConflict(edit(conflict, "theirs", "op2"))).toBe(false);
  });
});

describe("a copy that nobody edited", () => {
  it("is given back to a server that lost it, and gives way where that is not allowed", () => {
    const restored = begin(observe(held(), { is: "nothing" }, 1));
    expect(restored.sending).toMatchObject({ value: "old", restored: true });
    const refused = refuse(restored, restored.sending!.op, { code: "permission_denied", message: "no" });
    const record = observe(refused, value(1, "theirs", "bbbbbbbb"));
    expect([valueOf(record), record.change, record.refused]).toEqual(["theirs", undefined, undefined]);
  });
});

describe("a judgement", () => {
  const conflict = observe(edit(held(), "mine", "op"), value(2, "theirs"));
  const judged = { op: "op", theirs: conflict.theirs! };

  it("counts for the conflict that was judged only", () => {
    const moved = observe(conflict, value(3, "theirs again"));
    expect(resolve(moved, judged, "theirs", "new")).toBe(moved);
    const edited = edit(conflict, "mine again", "op2");
    expect(resolve(edited, judged, "theirs", "new")).toBe(edited);
  });

  it("makes what follows build upon theirs", () => {
    const mine = begin(resolve(conflict, judged, "mine", "new"));
    expect(mine).toMatchObject({ base: value(2, "theirs"), sending: { op: "op", value: "mine" } });
    expect(begin(resolve(conflict, judged, { value: "both" }, "new")).sending).toMatchObject({ op: "new", value: "both" });
    expect(begin(resolve(conflict, judged, "delete", "new")).sending).toEqual({ op: "new", deleted: true });
    expect(resolve(conflict, judged, "theirs", "new").change).toBeUndefined();
  });
});
