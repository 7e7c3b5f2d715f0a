// The connection: its state, the gateway this tab is on, the round trip, and a sentence over the
// page whenever there is something to say. The round trip is measured while somebody looks.
import type { ConnectionState, Peal } from "../../client/src/index.ts";
import { byId } from "./dom.ts";
import { bannerOf, gatewayWord, latencyWord, stateWord } from "./words.ts";

const kMeasureEvery = 2000;
const kBackBannerFor = 8000;

export class StatusView {
  readonly #peal: Peal;
  readonly #link = byId("link");
  readonly #banner = byId("banner");
  #lostAt?: number;
  #hideBanner?: ReturnType<typeof setTimeout>;
  /** How long the connection was away, once it is back. */
  downFor?: number;

  constructor(peal: Peal) {
    this.#peal = peal;
    this.#show(peal.state);
    peal.on("state", (state) => this.#show(state));
    setInterval(() => void this.#measure(), kMeasureEvery);
  }

  #show(state: ConnectionState): void {
    const now = performance.now();
    if (state.name === "waiting") this.#lostAt ??= now;
    if (state.name === "connected") {
      this.downFor = this.#lostAt === undefined ? undefined : now - this.#lostAt;
      this.#lostAt = undefined;
      byId("link-gateway").textContent = gatewayWord(state);
      void this.#measure();
    } else {
      byId("link-latency").textContent = "–";
    }
    this.#link.dataset.state = state.name;
    byId("link-state").textContent = stateWord(state);
    this.#say(bannerOf(state, this.downFor), state.name);
  }

  #say(text: string | undefined, kind: ConnectionState["name"]): void {
    clearTimeout(this.#hideBanner);
    this.#banner.hidden = text === undefined;
    this.#banner.dataset.state = kind;
    if (this.#banner.textContent !== (text ?? "")) this.#banner.textContent = text ?? "";
    if (kind === "connected" && text) {
      this.#hideBanner = setTimeout(() => (this.#banner.hidden = true), kBackBannerFor);
    }
  }

  async #measure(): Promise<void> {
    if (document.visibilityState !== "visible" || this.#peal.state.name !== "connected") return;
    try {
      byId("link-latency").textContent = latencyWord(await this.#peal.ping());
    } catch {
      byId("link-latency").textContent = "–";
    }
  }
}
