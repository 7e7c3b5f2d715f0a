import { describe, expect, it } from "vitest";
import { diagnose } from "../src/diagnose.ts";

type Answer = { status: number; body?: unknown } | "blocked";

/** Answers first a request that may be read, then one that may not. */
function fetchOf(readable: Answer, opaque: Answer = "blocked") {
  const asked: { url: string; mode?: string }[] = [];
  const fetch = async (url: string, { mode }: RequestInit = {}) => {
    asked.push({ url, mode });
    const answer = mode === "no-cors" ? opaque : readable;
    if (answer === "blocked") throw new TypeError("Failed to fetch");
    return new Response(typeof answer.body === "object" ? JSON.stringify(answer.body) : "not JSON",
                        { status: answer.status });
  };
  return { asked, fetch: fetch as typeof globalThis.fetch };
}

describe("why a handshake failed", () => {
  it("is what the server says over HTTP at the same address", async () => {
    const { asked, fetch } = fetchOf({ status: 403, body: { code: "origin_refused", detail: "why" } });
    expect(await diagnose("wss://host/ws", fetch)).toMatchObject({
      code: "origin_refused", message: "why", temporary: false,
    });
    expect(asked).toEqual([{ url: "https://host/ws", mode: undefined }]);
  });

  it("is temporary when the server is overloaded, or says so", async () => {
    const full = fetchOf({ status: 503, body: { code: "sessions_max", title: "full" } });
    expect(await diagnose("ws://host/ws", full.fetch)).toMatchObject({ temporary: true, message: "full" });
    const busy = fetchOf({ status: 400, body: { code: "odd", temporary: true } });
    expect(await diagnose("ws://host/ws", busy.fetch)).toMatchObject({ temporary: true, message: "odd" });
  });

  it("is something between when the server would have taken the WebSocket", async () => {
    for (const body of [{ code: "upgrade_required" }, undefined]) {
      const { fetch } = fetchOf({ status: 426, body });
      expect(await diagnose("ws://host/ws", fetch)).toMatchObject({ code: "connection_refused", temporary: true });
    }
  });

  it("is a refusal of this page when only an opaque answer is let through", async () => {
    const { asked, fetch } = fetchOf("blocked", { status: 200 });
    const error = await diagnose("ws://host/ws", fetch);
    expect(error).toMatchObject({ code: "connection_refused", temporary: true });
    expect(error!.message).toContain("allowed_origins");
    expect(asked.map(({ mode }) => mode)).toEqual([undefined, "no-cors"]);
  });

  it("is nothing to tell when no server is there", async () => {
    expect(await diagnose("ws://host/ws", fetchOf("blocked").fetch)).toBeUndefined();
  });
});
