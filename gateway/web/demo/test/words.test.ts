import { describe, expect, it } from "vitest";
import { PealError, type ConnectionState } from "../../client/src/index.ts";
import { bannerOf, latencyWord, stateWord } from "../src/words.ts";

const waiting = (code: string, offline = false, retryIn = 3000): ConnectionState =>
  ({ name: "waiting", attempt: 1, retryIn, offline, error: new PealError(code, "the server's words", true) });
const connected = (again: boolean): ConnectionState =>
  ({ name: "connected", transport: "websocket", session: "s", gateway: "gateway-2", again, limits: {} });

describe("what the page says", () => {
  it("while the connection is away", () => {
    expect(bannerOf(waiting("restarting"))).toBe("Connection lost: the gateway is restarting. Trying again in 3 s.");
    expect(bannerOf(waiting("unheard_of", false, 200))).toBe("Connection lost: the server's words. Trying again in a moment.");
    expect(bannerOf(waiting("connection_lost", true))).toBe("There is no network. Trying again in 3 s.");
    expect(bannerOf({ name: "connecting", attempt: 2 })).toContain("Trying again now");
    expect([stateWord(waiting("x")), stateWord(waiting("x", true))]).toEqual(["Connection lost", "Offline"]);
  });

  it("when it is back", () => {
    expect(bannerOf(connected(true), 2340)).toBe("Back again after 2.3 s, on gateway-2.");
    expect(bannerOf(connected(true), 61_400)).toBe("Back again after 61 s, on gateway-2.");
    expect(stateWord(connected(true))).toBe("Connected");
    const overHttp = { ...connected(true), transport: "sse", gateway: "" } as ConnectionState;
    expect(bannerOf(overHttp, 2340)).toBe("Back again after 2.3 s, on any gateway (stream).");
  });

  it("nothing when all is as it should be", () => {
    expect(bannerOf(connected(false))).toBeUndefined();
    expect(bannerOf({ name: "connecting", attempt: 1 })).toBeUndefined();
    expect(bannerOf({ name: "closed" })).toBeUndefined();
  });

  it("when it is over", () => {
    const error = new PealError("origin_refused", "http://evil is not in allowed_origins");
    expect(bannerOf({ name: "closed", error })).toContain("http://evil is not in allowed_origins");
  });

  it("about the round trip", () => {
    expect([latencyWord(0.84), latencyWord(9.96), latencyWord(23.4)]).toEqual(["0.8 ms", "10.0 ms", "23 ms"]);
  });
});
