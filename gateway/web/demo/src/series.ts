// The readings of the last minute, and the shapes that show them. Time runs to the right and
// ends now; where readings are missing the shape has a gap, for a straight line would be a lie.
import type { Reading } from "./load.ts";

export const kSpan = 60_000;
/** Readings further apart than this are not connected, in ms. */
const kGap = 5000;
/** One unit of width is a second, one of height a percent from the top. */
const kWidth = kSpan / 1000;

interface Sample extends Reading {
  at: number;
}

export interface Shapes {
  total: string;
  system: string;
  line: string;
}

export class Series {
  #samples: Sample[] = [];

  add(reading: Reading, at: number): void {
    this.#samples.push({ ...reading, at });
    this.#trim(at);
  }

  shapes(now: number): Shapes {
    this.#trim(now);
    const x = ({ at }: Sample) => round(kWidth - (now - at) / 1000);
    const total = (sample: Sample) => `${x(sample)} ${round(100 - sample.user - sample.system)}`;
    const system = (sample: Sample) => `${x(sample)} ${round(100 - sample.system)}`;
    const runs = this.#runs();
    const area = (top: (sample: Sample) => string) => runs.map((run) =>
      `M${x(run[0]!)} 100L${run.map(top).join("L")}L${x(run.at(-1)!)} 100Z`).join("");
    const line = runs.map((run) => `M${run.map(total).join("L")}`).join("");
    return { total: area(total), system: area(system), line };
  }

  /** For eyes and ears alike: undefined without readings. */
  summary(): { now: number; highest: number; seconds: number } | undefined {
    const last = this.#samples.at(-1);
    if (!last) return undefined;
    const totals = this.#samples.map(({ user, system }) => user + system);
    return {
      now: Math.round(totals.at(-1)!),
      highest: Math.round(Math.max(...totals)),
      seconds: Math.round((last.at - this.#samples[0]!.at) / 1000),
    };
  }

  #runs(): Sample[][] {
    const runs: Sample[][] = [];
    for (const sample of this.#samples) {
      const run = runs.at(-1);
      if (run && sample.at - run.at(-1)!.at <= kGap) run.push(sample);
      else runs.push([sample]);
    }
    return runs;
  }

  #trim(now: number): void {
    const first = this.#samples.findIndex(({ at }) => now - at <= kSpan + kGap);
    this.#samples = first < 0 ? [] : this.#samples.slice(first);
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
