// A reading of a machine's load out of what comes on `demo:load`: a line of `vmstat 1` as a string,
// or an object such as {"cpu": 12.3} or {"user": 10, "system": 2.3}. Percent of all CPUs.
export interface Reading {
  user: number;
  system: number;
}

/** Where vmstat has its columns when its headings have not been seen. */
const kUsual = { us: 12, sy: 13, columns: 17 };

export class LoadParser {
  #us = kUsual.us;
  #sy = kUsual.sy;
  #columns = kUsual.columns;

  parse(message: unknown): Reading | undefined {
    if (typeof message === "string") return this.#line(message);
    if (typeof message === "number") return reading(message, 0);
    if (typeof message !== "object" || message === null) return undefined;
    const { cpu, user, system } = message as Record<string, unknown>;
    if (typeof user === "number") return reading(user, typeof system === "number" ? system : 0);
    if (typeof cpu !== "number") return undefined;
    const ofSystem = typeof system === "number" ? Math.min(system, cpu) : 0;
    return reading(cpu - ofSystem, ofSystem);
  }

  #line(line: string): Reading | undefined {
    const words = line.trim().split(/\s+/);
    if (words.includes("us") && words.includes("sy")) {
      this.#us = words.indexOf("us");
      this.#sy = words.indexOf("sy");
      this.#columns = words.length;
      return undefined;
    }
    if (words.length < this.#columns || !words.every((word) => /^\d+$/.test(word))) return undefined;
    return reading(Number(words[this.#us]), Number(words[this.#sy]));
  }
}

function reading(user: number, system: number): Reading | undefined {
  if (!(user >= 0 && system >= 0 && user + system <= 100.5)) return undefined;
  return { user, system };
}
