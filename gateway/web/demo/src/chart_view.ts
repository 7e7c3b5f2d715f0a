// The load of this machine as it comes in. The chart moves with the time, not with the readings,
// so that a feed which stops is seen to stop.
import type { Subscription } from "../../client/src/index.ts";
import { byId } from "./dom.ts";
import { LoadParser } from "./load.ts";
import { Series } from "./series.ts";

const kRedrawEvery = 1000;

export class ChartView {
  readonly #series = new Series();
  readonly #parser = new LoadParser();
  readonly #chart = byId("chart");
  readonly #paths = {
    total: byId<SVGPathElement>("chart-total"),
    system: byId<SVGPathElement>("chart-system"),
    line: byId<SVGPathElement>("chart-line"),
  };

  constructor(load: Subscription) {
    load.on("message", ({ message }) => {
      const reading = this.#parser.parse(message);
      if (!reading) return;
      this.#series.add(reading, performance.now());
      this.#draw();
    });
    load.on("state", ({ name }) => (this.#chart.ariaBusy = String(name !== "subscribed")));
    setInterval(() => this.#draw(), kRedrawEvery);
  }

  #draw(): void {
    if (document.visibilityState !== "visible") return;
    const shapes = this.#series.shapes(performance.now());
    for (const name of ["total", "system", "line"] as const) {
      this.#paths[name].setAttribute("d", shapes[name]);
    }
    const summary = this.#series.summary();
    byId("chart-empty").hidden = summary !== undefined;
    byId("load-now").textContent = summary ? `${summary.now} %` : "";
    this.#chart.setAttribute("aria-label", summary
      ? `CPU in use: ${summary.now} percent; at most ${summary.highest} in the last ${summary.seconds} seconds`
      : "No readings yet");
  }
}
