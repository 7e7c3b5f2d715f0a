// The to-do page: a replica of one list, shared with everybody who opens the same address.
// ?list= names the list, ?as= makes a copy of its own, as another browser would have.
import { Peal } from "../../../client/src/index.ts";
import { Replica, type Document } from "../../../client/src/sync/index.ts";
import { byId } from "../dom.ts";
import { setUpTheme } from "../theme.ts";
import { reasonOf } from "../words.ts";
import { ListView } from "./list_view.ts";
import { listName, mergeTodos, standingOf, tidyText, todoOf, type Todo } from "./model.ts";

const address = new URL(location.href);
const list = listName(address.searchParams.get("list"));
const who = address.searchParams.get("as") ?? "";
const index = `demo:todo:${list}`;

setUpTheme();
const peal = new Peal(new URL("ws", location.href), { retryMax: 5000 });
const replica = new Replica({ name: `todo:${list}:${who}`, peal, resolve: mergeTodos, retryMax: 5000 });
const items = replica.collection<Todo>(index);

async function add(todo: Todo): Promise<void> {
  const id = crypto.getRandomValues(new Uint32Array(2)).reduce((text, part) => text + part.toString(36), "");
  await items.add(`${index}:${id}`, todo);
}

async function keepBoth(document: Document<Todo>): Promise<void> {
  const mine = todoOf(document.value);
  if (mine && (await document.resolve("theirs"))) await add(mine);
}

async function choose(document: Document<Todo>, which: "mine" | "theirs"): Promise<void> {
  if (await document.resolve(which) && todoOf(document.value)) await items.include(document.uri);
}

const actions = {
  remove: (uri: string) => void items.remove(uri),
  choose: (document: Document<Todo>, which: "mine" | "theirs") => void choose(document, which),
  keepBoth: (document: Document<Todo>) => void keepBoth(document),
};

let view: ListView | undefined;
view = new ListView(replica, items, actions, showStanding);

function showStanding(): void {
  const { state, words } = standingOf({
    paused: byId<HTMLInputElement>("offline").checked,
    connected: peal.state.name === "connected",
    statuses: [items.index, ...(view?.views.map(({ document }) => document) ?? [])].map((each) => each.state.status),
  });
  byId("link").dataset.state = state;
  if (byId("link-state").textContent !== words) byId("link-state").textContent = words;
}

byId("list-title").textContent = list === "shared" ? "To do" : list;
byId("list-address").textContent = index;
const other = new URL(address);
other.searchParams.set("as", Math.random().toString(36).slice(2, 8));
byId<HTMLAnchorElement>("other").href = other.href;

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = byId<HTMLInputElement>("new");
  const text = tidyText(field.value);
  field.value = "";
  field.focus();
  if (text) void add({ text, done: false });
});

byId("offline").addEventListener("change", () => {
  const offline = byId<HTMLInputElement>("offline").checked;
  if (offline) replica.pause();
  else replica.resume();
  byId("sync").hidden = !offline;
  showStanding();
});
byId("sync").addEventListener("click", () => void replica.sync());

peal.on("state", () => showStanding());
replica.on("error", ({ uri, error, retryIn }) => {
  if (retryIn !== undefined) return;  // it goes on by itself
  byId("banner").hidden = false;
  byId("banner").textContent = `${uri || "This list"}: ${error.message}`;
});
peal.on("state", (state) => {
  if (state.name !== "closed" || !state.error) return;
  byId("banner").hidden = false;
  byId("banner").textContent = `Disconnected for good: ${reasonOf(state.error)}. What you write is kept here.`;
});

// The page itself also works offline, where the browser lets it.
if (isSecureContext) void navigator.serviceWorker?.register("todo-worker.js", { scope: "todo.html" }).catch(() => {});
