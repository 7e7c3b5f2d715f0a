// How long to wait before the next attempt: full jitter, so that clients which lost one server
// together don't come back together.

export interface BackoffOptions {
  /** The longest first wait, in ms; it doubles with every failure. */
  base: number;
  /** The longest wait of all, in ms. */
  max: number;
}

export function fullJitter(attempt: number, options: BackoffOptions, random: () => number): number {
  return Math.round(random() * Math.min(options.max, options.base * 2 ** Math.min(attempt, 30)));
}
