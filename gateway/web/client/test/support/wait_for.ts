import { vi } from "vitest";

/** Tries until `check` doesn't throw, with a deadline that only a failure reaches, however busy the machine is. */
export function waitFor<T>(check: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(check, { timeout: 30_000, interval: 10 });
}
