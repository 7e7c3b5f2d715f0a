// Rows of a table, as a monitor tells them.
import { describe, expect, it } from "vitest";
import { orderOf, Rows, sumWord } from "../src/orders/model.ts";

const bell = { id: 2, item: "bell", status: "open", total: 12.5 };
const rope = { id: 10, item: "rope", status: "sent", total: 1000 };
const row = (order: typeof bell, event = "update") => ({ key: String(order.id), message: { event, new: order } });

describe("an order", () => {
  it("is read from whatever comes", () => {
    expect(orderOf({ ...bell, more: 1 })).toEqual(bell);
    for (const other of [null, 1, {}, { ...bell, status: "lost" }, { ...bell, total: "NaN" }]) {
      expect(orderOf(other)).toBeUndefined();
    }
  });
});

describe("the rows", () => {
  it("are the last of each key, by id", () => {
    const rows = new Rows();
    expect(rows.apply(row(rope, "snapshot"))).toBe("10");
    rows.apply(row(bell));
    rows.apply(row({ ...bell, total: 13 }));
    expect(rows.all).toEqual([{ ...bell, total: 13 }, rope]);
    expect(sumWord(rows.all)).toBe("2 rows, 1,013.00");
    rows.apply({ key: "10", delete: true, message: { event: "leave", old: rope } });
    expect(sumWord(rows.all)).toBe("1 row, 13.00");
  });

  it("begin anew with a snapshot, and when the table is emptied", () => {
    for (const event of ["snapshot", "truncate"]) {
      const rows = new Rows();
      rows.apply(row(bell));
      expect(rows.apply({ message: { event, table: "orders" } })).toBeUndefined();
      expect(rows.all).toEqual([]);
    }
  });
});
