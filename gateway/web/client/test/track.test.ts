import { describe, expect, it } from "vitest";
import { Track } from "../src/track.ts";

const kEpoch = "epoch001";
const at = (offset: number) => ({ epoch: kEpoch, offset });
const message = (offset: number, more: object = {}) => ({ event: "message", offset, ...more });

function standing(offset: number): Track {
  const track = new Track();
  track.begin(undefined, at(offset));
  return track;
}

describe("a track", () => {
  it("takes the next, drops what was there, and sees what is missing", () => {
    const track = standing(10);
    expect(track.pushed(message(11))).toBe("new");
    expect(track.pushed(message(11))).toBe("old");
    expect(track.pushed(message(3))).toBe("old");
    expect(track.pushed(message(13))).toBe("gap");
    expect(track.position, "a gap moves nothing").toEqual(at(11));
    expect(track.pushed(message(12))).toBe("new");
    expect(track.pushed(message(13))).toBe("new");
  });

  it("believes `after`: nothing is between", () => {
    const track = standing(10);
    expect(track.pushed(message(15, { after: 14 }))).toBe("new");
    expect(track.pushed(message(19, { after: 15 }))).toBe("new");
    expect(track.pushed(message(30, { after: 21 }))).toBe("gap");
    expect(track.position).toEqual(at(19));
  });

  it("compares where the server says that it is", () => {
    const track = standing(10);
    expect(track.pushed({ event: "position", offset: 10 })).toBe("old");
    expect(track.pushed({ event: "position", offset: 11 })).toBe("gap");
    expect(track.pushed({ event: "position", offset: 11, after: 10 })).toBe("new");
    expect(track.position).toEqual(at(11));
  });

  it("stands after a recovery where the answer says, holes at its end included", () => {
    const track = standing(10);
    expect(track.begin(at(10), { ...at(15), recovered: true, publications: [message(12)] })).toBe(true);
    expect(track.position).toEqual(at(15));
  });

  it("knows that the past is gone, said or not", () => {
    const track = standing(10);
    expect(track.begin(at(10), { ...at(40), recovered: false })).toBe(false);
    expect(track.position).toEqual(at(40));
    expect(track.begin(at(40), { epoch: "epoch002", offset: 2, recovered: true })).toBe(false);
    expect(track.position).toEqual({ epoch: "epoch002", offset: 2 });
    expect(track.begin(at(2), { epoch: "epoch002", offset: 3 })).toBe(false);
    expect(track.begin(at(2), {}), "a channel that keeps no log any more").toBe(false);
    expect(track.position).toBeUndefined();
  });

  it("takes everything of a channel without a log", () => {
    const track = new Track();
    expect(track.begin(undefined, { channel: "a" })).toBeUndefined();
    expect([track.pushed({ event: "message" }), track.pushed({ event: "message" })]).toEqual(["new", "new"]);
  });

  it("ignores a key's value that it has a newer one of, while last values are newer than the answer", () => {
    const track = new Track();
    const publications = [{ offset: 3, key: "a" }, { offset: 8, key: "b" }, { offset: 9, key: "c" }];
    track.begin("state", { ...at(6), publications });
    expect(track.pushed(message(7, { key: "a" }))).toBe("new");
    expect(track.pushed(message(8, { key: "b" }))).toBe("old");
    expect(track.pushed(message(9, { key: "c" }))).toBe("old");
    expect(track.pushed(message(10, { key: "b" }))).toBe("new");
    expect(track.position).toEqual(at(10));
  });
});
