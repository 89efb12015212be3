/** Measures what each page costs the browser, as a table: while a real run gets events, or twice a second from a played server. */
import { loadavg } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { stopTestPostgres } from "../support/postgres.js";
import { desktop, launchChromium, openPage } from "./chromium.js";
import { FakeApi } from "./fake-api.js";
import { mainThreadTasksMs, taskCategories } from "./main-thread-tasks.js";
import { type KnownPage, knownPages, openKnown } from "./pages.js";
import { goodFile, malformedFile } from "./real-input.js";
import { RealRun } from "./real-run.js";
import type { Target } from "./target.js";

const watchedMs = Number(process.argv[2] ?? 30) * 1_000;
/** `played`, or how many events a second come into a real run. */
const source = process.argv[3] ?? "100";
/** All of them where none is named. */
const pages = knownPages.filter(
  ({ name }) => process.argv.length < 5 || process.argv.slice(4).includes(name),
);
/** After all of the page is there: what loading costs is another question. */
const settleMs = 3_000;

interface Measured {
  readonly page: string;
  readonly updates: number;
  /** By the wall clock, as the page's own observer sees them. */
  readonly longTasks: number;
  readonly longestMs: number;
  /** What the longest task computed, without the time in which others had the core. */
  readonly longestCpuMs: number;
  /** Of the wall clock, time in which others had the core included. */
  readonly taskShare: number;
  /** Of the wall clock, what the thread computed. */
  readonly coreShare: number;
  readonly load: number;
}

const target = source === "played" ? await playedServer() : await realRun(Number(source));
const browser = await launchChromium();
try {
  const rows: Measured[] = [];
  for (const known of pages) rows.push(await measure(browser, known));
  print(rows);
} finally {
  await browser.close();
  await target.stop();
}

/** Sends in every half second, which a run does only where so much changes, and panels five times as often as a run. */
async function playedServer(): Promise<Target> {
  const fake = new FakeApi();
  const url = await fake.start();
  return { url, token: fake.token, fake, stop: () => fake.stop() };
}

async function realRun(eventsPerSecond: number): Promise<Target> {
  const run = await RealRun.create();
  const stop = async () => {
    await run.remove();
    await stopTestPostgres();
  };
  try {
    await run.launch();
    await run.drop(goodFile(), malformedFile());
    await run.committed();
    const seconds = Math.ceil(((watchedMs + settleMs + 15_000) * pages.length) / 1_000);
    run.product.start(["generate", `--events-per-second=${eventsPerSecond}`, `--duration=${seconds}`]);
  } catch (error) {
    await stop();
    throw error;
  }
  return { ...run.target, stop };
}

async function measure(browser: Browser, known: KnownPage): Promise<Measured> {
  const { page, context } = await openPage(browser, desktop);
  try {
    await openKnown(page, target, known);
    await delay(settleMs);
    const [taskSeconds, coreSeconds] = await Promise.all([
      taskClock(context, page, "timeTicks"),
      taskClock(context, page, "threadTicks"),
    ]);
    await observeLongTasks(page);
    const updates = countUpdates();
    await browser.startTracing(page, { categories: [...taskCategories] });
    const began = { atMs: performance.now(), task: await taskSeconds(), core: await coreSeconds() };
    await delay(watchedMs);
    const seconds = (performance.now() - began.atMs) / 1_000;
    const taskShare = ((await taskSeconds()) - began.task) / seconds;
    const coreShare = ((await coreSeconds()) - began.core) / seconds;
    const cpuMs = mainThreadTasksMs(await browser.stopTracing());
    const tasks = (await page.evaluate("window.longTasks")) as number[];
    return {
      page: known.name,
      updates: (await updates.stop()) / seconds,
      longTasks: tasks.length,
      longestMs: Math.max(0, ...tasks),
      longestCpuMs: Math.max(0, ...cpuMs),
      taskShare,
      coreShare,
      load: loadavg()[0] ?? 0,
    };
  } finally {
    await context.close();
  }
}

/** How long the page's main thread has worked until now. */
async function taskClock(
  context: BrowserContext,
  page: Page,
  timeDomain: "timeTicks" | "threadTicks",
): Promise<() => Promise<number>> {
  const session = await context.newCDPSession(page);
  await session.send("Performance.enable", { timeDomain });
  return async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    const total = metrics.find(({ name }) => name === "TaskDuration");
    if (total === undefined) throw new Error("Chromium has no TaskDuration");
    return total.value;
  };
}

async function observeLongTasks(page: Page): Promise<void> {
  await page.evaluate(`
    window.longTasks = [];
    new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map(({ duration }) => duration)))
      .observe({ type: "longtask" });
  `);
}

/** How many overviews a reader of the same stream gets. */
function countUpdates(): { stop(): Promise<number> } {
  const end = new AbortController();
  let overviews = 0;
  const reading = (async () => {
    const { body } = await fetch(`${target.url}/api/events?topics=overview`, { signal: end.signal });
    if (body === null) throw new Error("the events have no body");
    for await (const text of body.pipeThrough(new TextDecoderStream()))
      overviews += text.split("event: overview").length - 1;
  })();
  return {
    stop: async () => {
      end.abort();
      await reading.catch((error: Error) => {
        if (error.name !== "AbortError") throw error;
      });
      return overviews;
    },
  };
}

function print(rows: readonly Measured[]): void {
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  const what = source === "played" ? "a played server" : `${source} events a second into the run`;
  console.log(`${watchedMs / 1_000} s a page, ${what}`);
  console.table(
    Object.fromEntries(
      rows.map(({ page, updates, longTasks, longestMs, longestCpuMs, taskShare, coreShare, load }) => [
        page,
        {
          "updates/s": updates.toFixed(1),
          "tasks over 50 ms": longTasks,
          "longest, ms": Math.round(longestMs),
          "longest by CPU, ms": Math.round(longestCpuMs),
          "in tasks": percent(taskShare),
          "of a core": percent(coreShare),
          "load of the machine": load.toFixed(1),
        },
      ]),
    ),
  );
}
