// The demo page: one connection, a room, its people, and this machine's load.
import { Peal, type PealError } from "../../client/src/index.ts";
import { Bell } from "./bell.ts";
import { ChartView } from "./chart_view.ts";
import { ChatView } from "./chat_view.ts";
import { byId, remembered } from "./dom.ts";
import { inventName, tidyName, type Identity } from "./identity.ts";
import { PeopleView } from "./people_view.ts";
import { parseRoomMessage, type RoomMessage } from "./room_messages.ts";
import { kAnnounceEvery, Roster } from "./roster.ts";
import { StatusView } from "./status_view.ts";
import { setUpTheme } from "./theme.ts";
import { gatewayWord, reasonOf } from "./words.ts";

const kRoom = "demo:room";
const kLoad = "demo:load";
/** Those who are asked whether they are here answer within this time, each at its own moment. */
const kAnswerWithin = 400;

const keptName = remembered("sessionStorage", "peal.name");
const me: Identity = { id: crypto.randomUUID?.() ?? String(Math.random()).slice(2), name: keptName.get() ?? inventName() };
keptName.set(me.name);

setUpTheme();
// The round trip is measured every other second, so a gateway that froze can be noticed soon.
const peal = new Peal(new URL("ws", location.href), { replyTimeout: 4000, checkTimeout: 3000 });
const status = new StatusView(peal);
const chat = new ChatView(me.id);
const people = new PeopleView(me.id);
const roster = new Roster();
const bell = new Bell();
const room = peal.subscribe(kRoom);
new ChartView(peal.subscribe(kLoad));

const gateway = () => (peal.state.name === "connected" ? gatewayWord(peal.state) : "");

/** Publishes what needs no answer: a person who is not told of today is told of the next time. */
function tell(message: RoomMessage): void {
  peal.publish(kRoom, message).catch(() => {});
}

function announce(ask: boolean): void {
  if (peal.state.name === "connected") tell({ type: "here", ...me, gateway: gateway(), ask });
}

function showPeople(): void {
  if (gateway()) roster.heard({ ...me, gateway: gateway() }, performance.now());
  people.show(roster.people(me.id));
}

function onRoomMessage(message: RoomMessage): void {
  switch (message.type) {
    case "here":
      if (roster.heard(message, performance.now()) && message.ask && message.id !== me.id) {
        chat.note(`${message.name} is here`);
      }
      if (message.ask && message.id !== me.id) setTimeout(() => announce(false), Math.random() * kAnswerWithin);
      break;
    case "gone": {
      const person = roster.left(message.id);
      if (person) chat.note(`${person.name} has left`);
      break;
    }
    case "say":
      chat.said(message.id, message.name, message.text);
      break;
    case "ring":
      bell.ring();
      chat.note(`${message.id === me.id ? "You" : message.name} rang the bell`, "ring");
      break;
  }
  showPeople();
}

room.on("message", ({ message, text, type }) => onRoomMessage(parseRoomMessage(message ?? text ?? `(${type})`)));
room.on("state", (state) => {
  byId("log").ariaBusy = String(state.name !== "subscribed");
  if (state.name === "subscribed") announce(true);
  if (state.name === "closed" && state.error) chat.note(`No way into the room: ${reasonOf(state.error)}`, "lost");
});

let lost = false;
peal.on("state", (state) => {
  if (state.name === "waiting" && !lost) {
    lost = true;
    chat.note(`Connection lost: ${reasonOf(state.error)}`, "lost");
  }
  if (state.name === "connected" && state.again) {
    lost = false;
    const seconds = status.downFor === undefined ? "" : ` after ${(status.downFor / 1000).toFixed(1)} s`;
    chat.note(`Back again${seconds}, on ${gatewayWord(state)}`, "back");
  }
  byId<HTMLInputElement>("say").placeholder =
    state.name === "connected" ? "Say something" : "Sent when the connection is back";
  showPeople();
});

async function publish(message: RoomMessage, whatFailed: string): Promise<void> {
  try {
    await peal.publish(kRoom, message);
  } catch (error) {
    chat.note(`${whatFailed}: ${reasonOf(error as PealError)}`, "lost");
  }
}

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = byId<HTMLInputElement>("say");
  const text = field.value.trim();
  field.value = "";
  field.focus();
  if (text) void publish({ type: "say", ...me, text }, `"${text.slice(0, 40)}" was perhaps not sent`);
});

byId("ring").addEventListener("click", () => void publish({ type: "ring", ...me }, "The bell stayed silent"));

const nameField = byId<HTMLInputElement>("name");
nameField.value = me.name;
function rename(): void {
  me.name = tidyName(nameField.value) ?? me.name;
  nameField.value = me.name;
  keptName.set(me.name);
  announce(false);
  showPeople();
}
nameField.addEventListener("change", rename);
byId("me").addEventListener("submit", (event) => {
  event.preventDefault();
  byId("say").focus();
});

setInterval(() => {
  announce(false);
  if (roster.sweep(performance.now(), me.id)) showPeople();
}, kAnnounceEvery);
addEventListener("pagehide", () => tell({ type: "gone", id: me.id }));
addEventListener("pageshow", ({ persisted }) => {
  if (persisted) announce(true);
});
