/** Totals of shops by minute as rows of a table: a pipeline whose sink upserts what its panes bring. */
import { P, type PCollection, withName } from "../../transforms/primitives/beam.js";
import { combinePerKey, registerCombineFn } from "../../transforms/primitives/combine-per-key.js";
import type { DoFn, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../transforms/primitives/fn-registry.js";
import { registeredParDo } from "../../transforms/primitives/par-do.js";
import { afterCount, afterWatermark, repeatedly } from "../../transforms/primitives/triggers.js";
import type { IntervalWindow, KV } from "../../transforms/primitives/window.js";
import { fixedWindows } from "../../transforms/primitives/window-fns.js";
import { windowInto } from "../../transforms/primitives/window-into.js";
import "../../transforms/all-do-fns.js";
import { type RejectedChange, writeRowsToPostgres } from "../../transforms/write-changes-to-postgres.js";

/** Amounts above a million are refused by the table. */
export const SHOP_TOTALS_SQL = `create table shop_totals (
  shop text, minute timestamptz, amount bigint not null check (amount <= 1000000), sales integer not null,
  version integer not null, primary key (shop, minute))`;

export const MINUTE_MS = 60_000;

interface Total {
  readonly amount: number;
  readonly sales: number;
}

const plus = (a: Total, b: Total): Total => ({ amount: a.amount + b.amount, sales: a.sales + b.sales });
const TOTAL = registerCombineFn("shop-total@test", () => ({
  createAccumulator: (): Total => ({ amount: 0, sales: 0 }),
  addInput: (total: Total, amount: number) => plus(total, { amount, sales: 1 }),
  mergeAccumulators: (totals: Iterable<Total>) => [...totals].reduce(plus, { amount: 0, sales: 0 }),
  extractOutput: (total: Total) => total,
}));

/** How a row gets a version that rises with each pane of its key and window. */
type VersionOf = "pane" | "sales";

class TotalRowFn implements DoFn<KV<string, Total>> {
  readonly observesWindows = true;
  constructor(readonly versionOf: VersionOf) {}

  process({ key: shop, value }: KV<string, Total>, { window, pane }: ProcessContext): object[] {
    const minute = new Date((window as IntervalWindow).startMs).toISOString();
    return [{ shop, minute, ...value, version: this.versionOf === "pane" ? pane.index : value.sales }];
  }
}
const TOTAL_ROW = registerDoFn("shop-total-row@test", (versionOf: VersionOf) => new TotalRowFn(versionOf));

/** A refused total in a few words. */
export const REFUSAL_TEXT = registerDoFn("refusal-text@test", () => ({
  process({ operation, row, problem }: RejectedChange): string[] {
    return [`${operation} ${row["shop"]} ${row["amount"]}: ${problem.reason}`];
  },
}));

/** @param early whether a pane comes with each sale, and for each late one */
export function writeShopTotals(
  sales: PCollection<KV<string, number>>,
  versionOf: VersionOf,
  early: boolean,
): PCollection<RejectedChange> {
  const each = repeatedly(afterCount(1));
  const often = {
    trigger: afterWatermark({ early: each, late: each }),
    ...{ accumulation: "accumulating" as const, allowedLatenessMs: MINUTE_MS },
  };
  const { rejected } = P(sales)
    .apply(withName("Minutes", windowInto<KV<string, number>>(fixedWindows(MINUTE_MS), early ? often : {})))
    .apply(withName("Totals", combinePerKey<string, number, Total>(TOTAL, null)))
    .apply(withName("Rows", registeredParDo<KV<string, Total>, never>(TOTAL_ROW, versionOf)))
    .apply(
      withName(
        "WriteTotals",
        writeRowsToPostgres({
          ...{ table: "shop_totals", columns: ["shop", "minute", "amount", "sales", "version"] },
          ...{ conflictKey: ["shop", "minute"], version: "version", operation: "upsert" },
        }),
      ),
    );
  return rejected;
}
