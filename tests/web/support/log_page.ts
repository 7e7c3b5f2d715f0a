// A page that keeps what it has heard, as an application would: in one store, in the same turn in which
// it was told. What it says of a channel outlives reloads, and so do its positions.
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const kScript = `
import { Peal } from "./client.js";
import { storedPositions } from "./client-positions.js";
const query = new URLSearchParams(location.search);
const kept = (name) => JSON.parse(localStorage.getItem(name) ?? "[]");
window.heard = kept("heard");
window.resets = kept("resets");
window.states = [];
window.peal = new Peal("/ws", {
  positions: storedPositions("test"), transports: query.get("transports")?.split(","),
  retryBase: 50, retryMax: 200, checkTimeout: 1000,
});
peal.on("state", (state) => window.states.push(state));
window.room = peal.subscribe("log:room");
room.on("message", ({ message }) => {
  heard.push(message.number);
  localStorage.setItem("heard", JSON.stringify(heard));
});
room.on("reset", (position) => {
  resets.push(position);
  localStorage.setItem("resets", JSON.stringify(resets));
});
`;

/** Adds it to a bundle that no gateway has read yet. */
export function addLogPage(bundle: string): void {
  writeFileSync(join(bundle, "log.js"), kScript);
  writeFileSync(join(bundle, "log.html"), '<!doctype html><title>log</title><script type="module" src="log.js"></script>');
}
