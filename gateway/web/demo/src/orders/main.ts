// The orders page: a table of Postgres as it changes, whoever changes it, and a view of it with a
// condition. Both are channels that peal-monitor-postgres feeds; nothing here asks twice.
import { Peal } from "../../../client/src/index.ts";
import { byId } from "../dom.ts";
import { StatusView } from "../status_view.ts";
import { setUpTheme } from "../theme.ts";
import { TableView } from "./table_view.ts";
import { Wishes, type Wish } from "./wishes.ts";

const kTable = "demo:table:orders";

setUpTheme();
const peal = new Peal(new URL("ws", location.href), { retryMax: 5000 });
new StatusView(peal);
const wishes = new Wishes(peal);

function missing(): void {
  byId("missing").hidden = false;
}

function say(refusal: string | undefined): void {
  byId("refused").hidden = refusal === undefined;
  byId("refused").textContent = refusal === undefined ? "" : `Not done: ${refusal}`;
}

async function ask(wish: Wish): Promise<void> {
  say(undefined);
  const refusal = await wishes.ask(wish);
  if (refusal !== undefined) say(refusal);
}

new TableView(peal, kTable, "all", { ask: (wish) => void ask(wish), missing });
new TableView(peal, `${kTable}:open`, "open", { missing });

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const [item, total] = [byId<HTMLInputElement>("item"), byId<HTMLInputElement>("total")];
  void ask({ do: "add", item: item.value.trim(), total: total.value });
  item.value = total.value = "";
  item.focus();
});
