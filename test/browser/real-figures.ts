/** For each page: what it shows of a real run, beside what PostgreSQL says of the same. */

import { expect } from "chai";
import type { Page } from "playwright-core";
import type { RealRun } from "./real-run.js";
import { commitsOf, deadByReason, deadOf, rowsOf, sum, totalsOf } from "./real-truth.js";
import { agree, count, dateTime, mapValues, pairsOf, tableOf, textsOf, words } from "./shown.js";

/** Fails unless the page that is open agrees with the database. */
export type FiguresAgree = (page: Page, run: RealRun) => Promise<void>;

const commitColumns = ["Epoch", "Read", "Written", "Duplicates", "Conflicts", "Dead letters"];

/** By the name of the page. */
export const figuresAgree: Readonly<Record<string, FiguresAgree>> = {
  overview: overviewAgrees,
  graph: graphAgrees,
  batches: batchesAgree,
  checkpoints: checkpointsAgree,
  files: filesAgree,
  "dead-letters": deadLettersAgree,
  shop: shopAgrees,
  environment: environmentAgrees,
};

async function overviewAgrees(page: Page, run: RealRun): Promise<void> {
  const ledger = async () => ({
    read: (await textsOf(page, ".ledger-read"))[0],
    verdict: (await textsOf(page, ".ledger .badge"))[0],
    parts: mapValues(await pairsOf(page, ".ledger-parts"), (text) => text.split(" ")[0]),
  });
  await agree("the ledger", ledger, async () => {
    const totals = await totalsOf(run);
    return {
      read: count(totals.recordsRead),
      verdict: "balanced",
      parts: {
        Written: count(await rowsOf(run, "user_events")),
        Duplicates: count(totals.duplicates),
        Conflicts: count(totals.conflicts),
        "Dead letters": count(await deadOf(run)),
      },
    };
  });
  const facts = async () => {
    const { Run, "Process id": pid, Failure } = await pairsOf(page, ".facts");
    return {
      Run,
      pid,
      Failure,
      epoch: (await textsOf(page, ".tile-note")).find((text) => text.startsWith("epoch")),
    };
  };
  await agree("the facts", facts, async () => {
    const [row] = await run.session.query<{ run_id: string; epoch: number }>(
      "select run_id, epoch from pipelines",
    );
    return {
      Run: row?.run_id,
      pid: String(run.command?.pid),
      Failure: "none",
      epoch: `epoch ${count(row?.epoch ?? 0)}`,
    };
  });
  await agree(
    "the last commits",
    () => tableOf(page, "Commits", commitColumns),
    () => commitsOf(run, 8),
  );
}

async function graphAgrees(page: Page, run: RealRun): Promise<void> {
  await agree(
    "steps of the drawing and of the table",
    async () => (await textsOf(page, ".graph .step")).length,
    async () => (await tableOf(page, "Figures of the steps", ["Step"])).length,
  );
  const totals = await totalsOf(run);
  const dead = await deadByReason(run);
  const refused = dead["rejected_by_database"] ?? 0;
  const invalid = (await deadOf(run)) - refused;
  const expected = {
    "ReadEvents/ReadFiles": { Out: totals.recordsRead },
    DropDuplicates: { In: totals.recordsRead - invalid },
    WriteDeadLetters: { In: invalid + refused },
  };
  for (const [path, { In, Out }] of Object.entries(expected) as [string, { In?: number; Out?: number }][]) {
    await page.locator(`[id^='step-${path}']`).first().click();
    const total = In ?? Out;
    await agree(
      `elements of ${path}`,
      async () =>
        (await pairsOf(page, ".step-panel .facts"))[In === undefined ? "Out" : "In"]?.split(", ")[1],
      () => `${count(total ?? 0)} in all`,
    );
    await page.keyboard.press("Escape");
    await page.locator(".step-panel").waitFor({ state: "detached" });
  }
}

async function batchesAgree(page: Page, run: RealRun): Promise<void> {
  await agree(
    "all commits",
    () => tableOf(page, "Commits", commitColumns),
    () => commitsOf(run, 50),
  );
}

async function checkpointsAgree(page: Page, run: RealRun): Promise<void> {
  await agree(
    "the checkpoints",
    async () => ({
      tiles: await pairsOf(page, ".tiles"),
      history: await tableOf(page, "History of checkpoints", ["Id", "Kind", "Status"]),
    }),
    async () => {
      const commits = await commitsOf(run, 50);
      const completed = String((await run.status())?.epoch ?? 0);
      return {
        tiles: { Triggered: completed, "In progress": "0", Completed: completed, Failed: "0", Restored: "0" },
        history: commits.map(({ Epoch }) => ({ Id: Epoch, Kind: "epoch", Status: "completed" })),
      };
    },
  );
}

async function filesAgree(page: Page, run: RealRun): Promise<void> {
  const columns = ["File", "State", "Records", "Written", "Duplicates", "Conflicts", "Dead letters"];
  await agree(
    "the files",
    async () => {
      const rows = await tableOf(page, "Files", [...columns, "Read"]);
      return rows.map(({ Read, ...row }) => ({ ...row, Read: Read?.trim() }));
    },
    async () => {
      const files = (await run.status())?.files ?? [];
      return [...files].reverse().map((file) => ({
        File: file.path,
        State: file.state,
        Records: count(file.records_read),
        Written: count(file.events_written),
        Duplicates: count(file.duplicates),
        Conflicts: count(file.conflicts),
        "Dead letters": count(sum(Object.values(file.dead_letters))),
        Read: "100 %",
      }));
    },
  );
}

async function deadLettersAgree(page: Page, run: RealRun): Promise<void> {
  await agree(
    "letters by reason",
    async () => ({
      note: (await textsOf(page, ".reasons-panel .panel-note"))[0],
      reasons: Object.fromEntries(
        await Promise.all(
          (await page.locator(".reasons button").all()).map(async (button) => [
            await button.locator(".reason-name").textContent(),
            await button.locator(".figure").first().textContent(),
          ]),
        ),
      ),
    }),
    async () => {
      const dead = await deadByReason(run);
      const retried = await rowsOf(run, "dead_letters where retry_outcome <> 'rejected'");
      return {
        note: `${count(sum(Object.values(dead)))} letters, ${count(retried)} retried`,
        reasons: Object.fromEntries(Object.entries(dead).map(([reason, n]) => [words(reason), count(n)])),
      };
    },
  );
  await agree(
    "all letters",
    () =>
      tableOf(page, "Dead letters", ["Letter", "Time", "Reason", "What is wrong", "File", "Epoch", "Retry"]),
    async () => {
      const rows = await run.session.query<Record<string, string | number>>(
        `select id, (extract(epoch from created_at) * 1000)::bigint as at_ms, reason, source_file, line, epoch,
           (select string_agg(message, '; ' order by at) from jsonb_array_elements_text(messages) with ordinality as m(message, at)) as wrong,
           coalesce(case when retry_requested_at is not null then 'requested' else retry_outcome end, '–') as retry
         from dead_letters order by id desc limit 50`,
      );
      return rows.map((row) => ({
        Letter: String(row["id"]),
        Time: dateTime(Number(row["at_ms"])),
        Reason: words(String(row["reason"])),
        "What is wrong": String(row["wrong"]),
        File: `${row["source_file"]}:${row["line"]}`,
        Epoch: String(row["epoch"]),
        Retry: String(row["retry"]),
      }));
    },
  );
}

async function shopAgrees(page: Page, run: RealRun): Promise<void> {
  await agree(
    "the funnel",
    async () => await textsOf(page, ".funnel-value"),
    async () => {
      const [row] = await run.session.query<Record<"views" | "carts" | "purchases", number>>(
        "select views, carts, purchases from v_purchase_funnel",
      );
      return [row?.views, row?.carts, row?.purchases].map((value) => count(Number(value)));
    },
  );
  await agree(
    "the top products",
    () => tableOf(page, "Top products by revenue", ["Product id", "Revenue"]),
    async () => {
      const rows = await run.session.query<{ product_id: string; revenue: string }>(
        "select product_id, revenue::text from v_top_products limit 20",
      );
      const money = { minimumFractionDigits: 2 };
      return rows.map(({ product_id, revenue }) => ({
        "Product id": product_id,
        Revenue: Number(revenue).toLocaleString("en-US", money),
      }));
    },
  );
  await agree(
    "events by type",
    () => tableOf(page, "Events by type", ["Event type", "Event count", "Unique users", "Last event"]),
    async () => {
      const rows = await run.session.query<Record<string, string | number>>(
        `select event_type, event_count, unique_users, (extract(epoch from last_event) * 1000)::bigint as at_ms
         from v_event_summary`,
      );
      return rows.map((row) => ({
        "Event type": String(row["event_type"]),
        "Event count": count(Number(row["event_count"])),
        "Unique users": count(Number(row["unique_users"])),
        "Last event": dateTime(Number(row["at_ms"])),
      }));
    },
  );
  await agree(
    "the latest events",
    () => tableOf(page, "Latest events", ["Event id", "User id", "Product id"]),
    async () => {
      const rows = await run.session.query<Record<string, string>>("select * from v_recent_activity");
      return rows.map((row) => ({
        "Event id": row["event_id"] ?? "",
        "User id": row["user_id"] ?? "",
        "Product id": row["product_id"] ?? "",
      }));
    },
  );
}

async function environmentAgrees(page: Page, run: RealRun): Promise<void> {
  const settings = await tableOf(page, "Settings", ["Setting", "Value", "Origin"]);
  expect(settings).to.deep.include({
    Setting: "epochRecordsMax",
    Value: "100",
    Origin: "--epoch-records-max",
  });
  expect(settings).to.deep.include({ Setting: "databaseUrl", Value: "***", Origin: "DATABASE_URL" });
  const [version] = await run.session.query<{ server_version: string }>("show server_version");
  const facts = await pairsOf(page, ".facts");
  expect(facts).to.include({ PostgreSQL: version?.server_version, Node: process.version });
  const password = new URL(run.product.env["DATABASE_URL"] ?? "").password;
  expect(await page.content()).not.to.contain(password);
}
