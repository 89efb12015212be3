/** Pages of a real run while it is paused, drained and killed, and when it is there again at the same address. */
import { rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "chai";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { expectBalance } from "../support/letter-balance.js";
import { until } from "../support/product.js";
import { desktop, launchChromium, openPage } from "./chromium.js";
import { type KnownPage, knownPages, openKnown, waitFor } from "./pages.js";
import { figuresAgree } from "./real-figures.js";
import { goodFile, malformedFile, markup, moreFile, repeatsFile } from "./real-input.js";
import { RealRun } from "./real-run.js";
import { commitsOf } from "./real-truth.js";
import { agree, tableOf, textsOf } from "./shown.js";
import { linkTo } from "./target.js";

const commitColumns = ["Epoch", "Read", "Written", "Duplicates", "Conflicts", "Dead letters"];
/** What Chromium itself writes to the console when nobody answers; no page can keep it from doing so. */
const refusedByNetwork = /^Failed to load resource: net::ERR_/;
const goneWithinMs = 5_000;
/** Long enough to see that nothing happens. */
const nothingMs = 1_500;

interface Opened {
  readonly known: KnownPage;
  readonly page: Page;
  readonly context: BrowserContext;
  readonly complaints: string[];
}

describe("the pages of a real run that pauses, ends, dies", () => {
  let run: RealRun;
  let browser: Browser;
  let opened: Opened[];

  before(async () => {
    browser = await launchChromium();
  });

  after(async () => {
    await browser?.close();
  });

  beforeEach(async () => {
    opened = [];
    run = await RealRun.create();
    await run.launch();
    await run.drop(goodFile(), repeatsFile());
    await run.committed();
    await run.drop(malformedFile());
    await run.committed();
  });

  afterEach(async () => {
    for (const { context } of opened) await context.close();
    await run.remove();
  });

  /** Each in a context of its own: a browser has six connections for one address, and each page keeps one. */
  async function open(...names: readonly string[]): Promise<Opened[]> {
    const wanted = knownPages.filter(({ name }) => names.includes(name));
    const more = await Promise.all(
      wanted.map(async (known) => {
        const one = { ...(await openPage(browser, desktop)), known };
        await openKnown(one.page, run.target, known);
        return one;
      }),
    );
    opened.push(...more);
    return more;
  }

  const agrees = ({ page, known }: Opened) =>
    (figuresAgree[known.name] ?? expect.fail(`nothing is known of ${known.name}`))(page, run);

  /** Nothing was thrown, nothing went against the policy, no warning: only the network was away. */
  function expectNoComplaints(): void {
    for (const { known, complaints } of opened) {
      expect(
        complaints.filter((text) => !refusedByNetwork.test(text)),
        known.name,
      ).to.deep.equal([]);
    }
  }

  it("a killed run is seen as gone on every page, and its next one by itself, with all of its history", async () => {
    const pages = await open(...knownPages.map(({ name }) => name));
    for (const one of pages) await agrees(one);
    const history = await commitsOf(run, 50);

    const killedAtMs = Date.now();
    await run.crash();
    for (const { page } of pages) {
      await page.locator(".connection", { hasText: "Stale since" }).waitFor();
      await page.locator(".verdict.level-error", { hasText: "No connection: what is shown is of" }).waitFor();
      await page.locator(".frame.is-stale").waitFor();
    }
    expect(Date.now() - killedAtMs).to.be.below(goneWithinMs);
    await delay(goneWithinMs); // polls and attempts come and go meanwhile
    for (const { page, known } of pages) {
      const text = (await page.locator("main").textContent()) ?? "";
      expect(text, known.name).not.to.contain("Loading…");
      for (const selector of known.shows)
        expect(await page.locator(selector).count(), selector).to.be.above(0);
    }

    const { url, token } = run.target;
    await run.launch();
    expect([run.target.url, run.target.token]).to.deep.equal([url, token]);
    await run.drop(moreFile("after.csv", 600, 150));
    await run.committed();
    for (const { page, known } of pages) await waitFor(page, known);
    for (const one of pages.filter(({ known }) => !["graph", "checkpoints"].includes(known.name)))
      await agrees(one);
    const batches = pages.find(({ known }) => known.name === "batches") ?? expect.fail();
    const rows = await tableOf(batches.page, "Commits", commitColumns);
    expect(rows.length).to.be.above(history.length);
    expect(rows.slice(-history.length)).to.deep.equal(history);
    const checkpoints = pages.find(({ known }) => known.name === "checkpoints") ?? expect.fail();
    await agree(
      "the restored epoch",
      async () => (await textsOf(checkpoints.page, ".quarters .panel:last-child dd"))[0],
      () => `${history[0]?.["Epoch"]} (epoch)`,
    );
    expectNoComplaints();
    await expectBalance(run.session);
  });

  it("a page that was asked for first while the run was away comes with the run", async () => {
    const [overview] = await open("overview");
    const { page } = overview ?? expect.fail();
    await run.crash();
    await page.locator(".connection", { hasText: "Stale since" }).waitFor();
    // its script was never needed before, and there is nobody to ask for it
    await page.locator("nav a", { hasText: "Files" }).click();
    await page.getByText("The page could not be loaded").waitFor();
    await run.launch();
    await page.locator(".connection", { hasText: "Live" }).waitFor();
    await page.locator("section[aria-label='Files'] tbody tr").first().waitFor();
    await figuresAgree["files"]?.(page, run);
    expectNoComplaints();
  });

  it("a run that comes back with another token is followed, and asked for records once it is given", async () => {
    const [shop] = await open("shop");
    const { page } = shop ?? expect.fail();
    await run.crash();
    await page.locator(".connection", { hasText: "Stale since" }).waitFor();
    await rm(run.product.path(".millrace", "monitor-token"));
    await run.launch();
    await page.getByRole("heading", { name: "This needs the token" }).waitFor();
    await page.locator(".connection", { hasText: "Live" }).waitFor();
    expect(await page.locator("main").textContent()).not.to.contain(markup.script);
    await page.getByLabel("Token").fill(run.target.token);
    await page.getByRole("button", { name: "Use token" }).click();
    await agrees(shop ?? expect.fail());
  });

  it("a run that is paused in the page reads nothing, and resumed reads on", async () => {
    const [overview, files] = await open("overview", "files");
    const { page } = overview ?? expect.fail();
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("status").getByText("Pause was accepted").waitFor();
    await page.locator(".badge", { hasText: "PAUSED" }).waitFor();
    await page.locator(".verdict", { hasText: "It is paused and reads nothing" }).waitFor();
    const before = await run.status();
    await run.drop(moreFile("while-paused.csv", 700, 30));
    await delay(nothingMs);
    const paused = await run.status();
    expect([paused?.epoch, paused?.records_read]).to.deep.equal([before?.epoch, before?.records_read]);
    await agrees(overview ?? expect.fail());
    await page.getByRole("button", { name: "Resume" }).click();
    await run.committed();
    await page.locator(".badge", { hasText: "RUNNING" }).waitFor();
    for (const one of [overview, files]) await agrees(one ?? expect.fail());
    expectNoComplaints();
    await expectBalance(run.session);
  });

  it("a run that is drained in the page ends with code 0, and pages keep its last figures and say that it ended", async () => {
    const [overview, batches] = await open("overview", "batches");
    const { page } = overview ?? expect.fail();
    await run.drop(moreFile("last.csv", 800, 90));
    await page.getByRole("button", { name: "Drain" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Drain" }).click();
    expect((await (run.command ?? expect.fail()).ended).code).to.equal(0);
    for (const { page: shown } of opened) {
      await shown.locator(".badge", { hasText: "DRAINED" }).waitFor();
      await shown.locator(".connection", { hasText: "Ended at" }).waitFor();
      await shown
        .locator(".verdict.level-ok", { hasText: "It has ended, and all that it read is committed." })
        .waitFor();
      await shown.locator(".frame:not(.is-stale)").waitFor();
      expect(await shown.getByRole("button", { name: /Pause|Drain|Cancel/ }).count()).to.equal(0);
    }
    for (const one of [overview, batches]) await agrees(one ?? expect.fail());
    await delay(goneWithinMs);
    for (const one of [overview, batches]) await agrees(one ?? expect.fail());
    expect(
      await (batches ?? expect.fail()).page.locator(".notice").count(),
      "complaints of the page",
    ).to.equal(0);
    await run.launch();
    await page.locator(".connection", { hasText: "Live" }).waitFor();
    await page.locator(".badge", { hasText: "RUNNING" }).waitFor();
    await run.committed();
    for (const one of [overview, batches]) await agrees(one ?? expect.fail());
    expectNoComplaints();
    await expectBalance(run.session);
  });

  it("a run that is cancelled in the page ends, and pages say so", async () => {
    const [overview] = await open("overview");
    const { page } = overview ?? expect.fail();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel the job" }).click();
    await (run.command ?? expect.fail()).ended;
    await page.locator(".badge", { hasText: "CANCELLED" }).waitFor();
    await page.locator(".verdict.level-warning", { hasText: "It was cancelled." }).waitFor();
    await page.locator(".connection", { hasText: "Ended at" }).waitFor();
    await agrees(overview ?? expect.fail());
    expectNoComplaints();
  });

  it("one reader too many is told why nothing comes live, and gets all when there is room", async () => {
    const readers = new AbortController();
    const read = () => fetch(`${run.target.url}/api/events?topics=graph`, { signal: readers.signal });
    const answers = await Promise.all(Array.from({ length: 16 }, read));
    expect(answers.map(({ status }) => status)).to.deep.equal(answers.map(() => 200));
    const { page, context, complaints } = await openPage(browser, desktop);
    try {
      await page.goto(linkTo(run.target, "/files"));
      await page
        .locator(".verdict.level-error", { hasText: "16 clients watch already: close one" })
        .waitFor();
      await figuresAgree["files"]?.(page, run);
      await run.drop(moreFile("unseen.csv", 900, 10));
      await figuresAgree["files"]?.(page, run);
      readers.abort();
      await page.locator(".connection", { hasText: "Live" }).waitFor();
      const refused = /^Failed to load resource: the server responded with a status of 429/;
      expect(complaints.filter((text) => !refused.test(text))).to.deep.equal([]);
    } finally {
      readers.abort();
      await context.close();
    }
  });

  it("a stream of events to which nothing happens says within 30 s that it lives", async function () {
    this.timeout(60_000);
    const silent = new AbortController();
    const { body } = await fetch(`${run.target.url}/api/events?topics=batch`, { signal: silent.signal });
    const beganAtMs = Date.now();
    let text = "";
    const reader = (body ?? expect.fail()).pipeThrough(new TextDecoderStream()).getReader();
    await until(async () => {
      text += (await reader.read()).value ?? "";
      return text.includes(": alive\n\n");
    }, "a comment");
    expect(Date.now() - beganAtMs).to.be.below(30_000);
    silent.abort();
  });
});
