// Rows of a table as a channel tells them: the state that a page shows, and what each publication
// did to it. Pure.
import type { Publication } from "../../../client/src/index.ts";

export const kStatuses = ["open", "packed", "sent"] as const;
export type Status = (typeof kStatuses)[number];

export interface Order {
  id: number;
  item: string;
  status: Status;
  total: number;
}

/** A row out of whatever comes; undefined when it is none. */
export function orderOf(row: unknown): Order | undefined {
  if (typeof row !== "object" || row === null) return undefined;
  const { id, item, status, total } = row as Record<string, unknown>;
  if (typeof id !== "number" || typeof item !== "string" || typeof total !== "number") return undefined;
  const known = kStatuses.find((each) => each === status);
  return known && { id, item, status: known, total };
}

export class Rows {
  readonly #rows = new Map<string, Order>();

  /** Takes what the monitor published: a row, a row's end, or that the table begins anew. Of one
   *  row its key. */
  apply({ key, delete: gone, message }: Pick<Publication, "key" | "delete" | "message">): string | undefined {
    if (key === undefined) {
      const { event } = (message ?? {}) as { event?: unknown };
      if (event === "snapshot" || event === "truncate") this.clear();
      return undefined;
    }
    const order = gone ? undefined : orderOf((message as { new?: unknown } | null)?.new);
    if (order) this.#rows.set(key, order);
    else this.#rows.delete(key);
    return key;
  }

  clear(): void {
    this.#rows.clear();
  }

  /** By id. */
  get all(): Order[] {
    return [...this.#rows.values()].sort((one, other) => one.id - other.id);
  }
}

/** "1,240.50", and what a field with it says. */
export const moneyWord = (total: number) =>
  total.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

export function sumWord(orders: Order[]): string {
  const rows = orders.length === 1 ? "1 row" : `${orders.length} rows`;
  return `${rows}, ${moneyWord(orders.reduce((sum, { total }) => sum + total, 0))}`;
}
