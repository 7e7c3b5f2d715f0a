// Shows the last changes of a channel once a frame, as a page at 1,000 a second would, and notes when the
// client gave it each (seconds since 1970).
import { Peal } from "./client.js";

const asked = new URL(location.href).searchParams;
const shown = document.querySelector("pre");
const shownMax = 20;
const seen = [], told = [];
let last = [];
const peal = new Peal(new URL("/ws", location.href.replace("http", "ws")).href);
const room = peal.subscribe(asked.get("channel"));

function show() {
  last = last.slice(-shownMax);
  shown.textContent = last.join("\n");
  requestAnimationFrame(show);
}
requestAnimationFrame(show);

window.found = () => ({ seen, told });
window.all = new Promise((done) => {
  room.on("reset", (reset) => told.push(reset));
  room.on("message", ({ message }) => {
    if (message.id === undefined) return void told.push(message);
    seen.push([message.id, (performance.timeOrigin + performance.now()) / 1000]);
    last.push(`${message.id} ${message.value}`);
    if (seen.length === Number(asked.get("count"))) done();
  });
});
window.subscribed = room.ready.then(() => true);
