/** Measures what those who look on cost a run: its CPU for a million events without the page's server, with it, and with three pages open. */
import { link, readdir } from "node:fs/promises";
import { loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Browser } from "playwright-core";
import { generatedData } from "../bench/bench-data.js";
import { processCpuS } from "../bench/process-meter.js";
import { median } from "../bench/report.js";
import { stopTestPostgres } from "../support/postgres.js";
import { desktop, launchChromium, openPage } from "./chromium.js";
import { knownPages, openKnown } from "./pages.js";
import { goodFile, malformedFile } from "./real-input.js";
import { RealRun } from "./real-run.js";

const events = Number(process.argv[2] ?? 1_000_000);
const times = Number(process.argv[3] ?? 3);
const ROWS_PER_FILE = 10_000;
const RUN_MS_MAX = 300_000;
const LOOK_MS = 200;
const OPEN_PAGES = ["overview", "graph", "batches"];
const WATCHES = ["no server", "nobody looks", "three pages"] as const;
type Watch = (typeof WATCHES)[number];

const data = await generatedData(events, Math.min(events, ROWS_PER_FILE));
const browser = await launchChromium();
const results = new Map<Watch, number[]>(WATCHES.map((watch) => [watch, []]));
try {
  for (let time = 0; time < times; time++) {
    // by turns, each of them first once, as the machine is not the same for long
    for (let turn = 0; turn < WATCHES.length; turn++) {
      const watch = WATCHES[(turn + time) % WATCHES.length]!;
      const cpuS = await measure(browser, watch);
      results.get(watch)!.push(cpuS);
      console.log(`${watch}: ${cpuS.toFixed(2)} CPU s a million, load ${loadavg()[0]!.toFixed(1)}`);
    }
  }
} finally {
  await browser.close();
  await stopTestPostgres();
}
const bare = median(results.get("nobody looks")!);
console.table(
  Object.fromEntries(
    WATCHES.map((watch) => {
      const all = results.get(watch)!;
      const ratio = (median(all) / bare).toFixed(3);
      return [
        watch,
        { "CPU s a million": median(all).toFixed(2), "to nobody looks": ratio, runs: all.length },
      ];
    }),
  ),
);

/** CPU of the run's process from the landing of the files until the last of their records is committed. */
async function measure(within: Browser, watch: Watch): Promise<number> {
  const run = await RealRun.create();
  const pages = [];
  try {
    await run.launch(watch === "no server" ? ["--monitor-port=0"] : [], { isSmall: false });
    await run.drop(goodFile(), malformedFile());
    await run.committed();
    for (const known of watch === "three pages" ? knownPages : []) {
      if (!OPEN_PAGES.includes(known.name)) continue;
      const opened = await openPage(within, desktop);
      pages.push(opened);
      await openKnown(opened.page, run.target, known);
    }
    const before = (await run.status())!.records_read;
    const beforeS = processCpuS(run.command!.pid);
    for (const name of await readdir(data.rawDir)) {
      await link(join(data.rawDir, name), run.product.input(name));
    }
    const deadlineMs = performance.now() + RUN_MS_MAX;
    while ((await run.status())!.records_read < before + data.rows) {
      if (performance.now() > deadlineMs) throw new Error(`not all was read within ${RUN_MS_MAX} ms`);
      await delay(LOOK_MS);
    }
    return ((processCpuS(run.command!.pid) - beforeS) / data.rows) * 1e6;
  } finally {
    for (const { context } of pages) await context.close();
    await run.remove();
  }
}
