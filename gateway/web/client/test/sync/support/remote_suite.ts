// What the sync client relies on of a server's resource face. It is run against the model server
// and against a real gateway, so that what holds for the one holds for the other.
import { describe, expect, it } from "vitest";
import { HttpRemote } from "../../../src/sync/http_remote.ts";
import { findApplied } from "../../../src/sync/remote.ts";

export interface Server {
  url: string;
  fetch?: typeof fetch;
}

let channels = 0;

export function remoteSuite(name: string, server: () => Promise<Server>): void {
  const { signal } = new AbortController();
  const set = async () => {
    const { url, fetch } = await server();
    return { remote: new HttpRemote(url, fetch ? { fetch } : {}), uri: `demo:todo:suite ${++channels}/ä%?#` };
  };

  describe(`the remote over ${name}`, () => {
    it("tells what never was, what is, and what was deleted, each with its place", async () => {
      const { remote, uri } = await set();
      expect(await remote.get(uri, undefined, signal)).toEqual({ is: "nothing" });
      const first = await remote.put(uri, { text: "Grüße \u{1F514}" }, "absent", signal);
      expect(first).toMatchObject({ offset: 1 });
      if (first === "changed") return;
      expect(await remote.get(uri, undefined, signal)).toEqual({ is: "value", tag: first, value: { text: "Grüße \u{1F514}" } });
      expect(await remote.get(uri, first, signal)).toBe("same");
      const gone = await remote.remove(uri, first, signal);
      expect(gone).toEqual({ ...first, offset: 2 });
      expect(await remote.get(uri, undefined, signal)).toEqual({ is: "deleted", tag: gone });
      expect(await remote.get(uri, first, signal)).toEqual({ is: "deleted", tag: gone });
      expect(await remote.put(uri, null, "absent", signal)).toEqual({ ...first, offset: 3 });
      expect(await remote.get(uri, undefined, signal)).toMatchObject({ is: "value", value: null });
    });

    it("writes and deletes only upon what was seen", async () => {
      const { remote, uri } = await set();
      const first = await remote.put(uri, 1, "absent", signal);
      if (first === "changed") throw new Error("the channel is not empty");
      expect(await remote.put(uri, 2, "absent", signal)).toBe("changed");
      const second = await remote.put(uri, 2, first, signal);
      expect(second).toEqual({ ...first, offset: 2 });
      expect(await remote.put(uri, 3, first, signal)).toBe("changed");
      expect(await remote.remove(uri, first, signal)).toBe("changed");
      expect(await remote.put(uri, 3, { epoch: "zzzzzzzz", offset: 2 }, signal)).toBe("changed");
      if (second === "changed") return;
      await remote.remove(uri, second, signal);
      expect(await remote.put(uri, 3, second, signal)).toBe("changed");
      expect(await remote.remove(uri, second, signal)).toBe("changed");
    });

    it("tells what followed a place, and finds there what was applied", async () => {
      const { remote, uri } = await set();
      const first = await remote.put(uri, "a", "absent", signal);
      if (first === "changed") throw new Error("the channel is not empty");
      const base = { is: "value", tag: first, value: "a" } as const;
      expect(await findApplied(remote, uri, base, { op: "1", value: "b" }, signal)).toBe("no");
      const second = await remote.put(uri, "b", first, signal);
      if (second === "changed") throw new Error("the channel has moved");
      await remote.put(uri, "c", second, signal);
      expect(await remote.since(uri, first, signal)).toMatchObject([{ is: "value", tag: second, value: "b" }, { value: "c" }]);
      expect(await findApplied(remote, uri, base, { op: "1", value: "b" }, signal)).toEqual(second);
      expect(await findApplied(remote, uri, base, { op: "1", value: "c" }, signal)).toBe("no");
      expect(await findApplied(remote, uri, undefined, { op: "1", value: "a" }, signal)).toEqual(first);
      expect(await remote.since(uri, { epoch: "zzzzzzzz", offset: 1 }, signal)).toBe("lost");
      expect(await remote.since(uri, { ...first, offset: 99 }, signal)).toBe("lost");
    });

    it("finds a creation among deletions, and a deletion", async () => {
      const { remote, uri } = await set();
      const first = await remote.put(uri, "a", "absent", signal);
      if (first === "changed") throw new Error("the channel is not empty");
      await remote.remove(uri, first, signal);
      const again = await remote.put(uri, "b", "absent", signal);
      const gone = { is: "deleted", tag: { ...first, offset: 2 } } as const;
      expect(await findApplied(remote, uri, gone, { op: "1", value: "b" }, signal)).toEqual(again);
      const base = { is: "value", tag: first, value: "a" } as const;
      expect(await findApplied(remote, uri, base, { op: "1", deleted: true }, signal)).toEqual(gone.tag);
    });
  });
}
