/** What is live on the pages, what can be asked of the job there, and what drawing costs. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { desktop, launchChromium, openPage } from "./chromium.js";
import { FakeApi, pagesDir } from "./fake-api.js";
import { hostile, panelData } from "./fake-letters.js";
import { knownPages, openKnown } from "./pages.js";
import { linkTo, type Target } from "./target.js";

const gzippedMax = 80_000;

describe("the pages, live", () => {
  let fake: FakeApi;
  let target: Target;
  let browser: Browser;
  let page: Page;
  let context: BrowserContext;
  let complaints: string[];

  before(async () => {
    browser = await launchChromium();
  });

  after(async () => {
    await browser?.close();
  });

  beforeEach(async () => {
    fake = new FakeApi();
    const url = await fake.start();
    target = { url, token: fake.token, fake, stop: () => fake.stop() };
    ({ page, context, complaints } = await openPage(browser, desktop));
  });

  afterEach(async () => {
    await context.close();
    await fake.stop();
  });

  it("a lost connection is seen as stale, and ends when the server is back", async () => {
    await page.goto(linkTo(target, "/"));
    await page.locator(".connection", { hasText: "Live" }).waitFor();
    const port = Number(new URL(target.url).port);
    await fake.stop();
    await page.locator(".connection", { hasText: "Stale since" }).waitFor();
    await page.locator(".verdict", { hasText: "No connection: what is shown is of" }).waitFor();
    await page.locator(".frame.is-stale").waitFor();
    await fake.start(port);
    await page.locator(".connection", { hasText: "Live" }).waitFor();
    await page.locator(".frame:not(.is-stale)").waitFor();
  });

  it("one page holds one stream, whatever pages were seen before", async () => {
    for (const known of knownPages) await openKnown(page, target, known);
    await page.locator("nav a", { hasText: "Graph" }).click();
    await page.locator(".graph .step").first().waitFor();
    await delay(600);
    await until(async () => fake.openStreams === 1);
  });

  it("figures change without loading anything", async () => {
    await page.goto(linkTo(target, "/graph"));
    const total = page.locator(".step-rates").nth(2);
    await total.waitFor();
    const before = await total.textContent();
    await until(async () => (await total.textContent()) !== before);
  });

  it("a chart whose series come and go while earlier ones still wait to be drawn draws them all", async () => {
    const shop = knownPages.find(({ name }) => name === "shop") ?? expect.fail();
    await openKnown(page, target, shop);
    const data = panelData("hourly", Date.now()) ?? expect.fail();
    const types = ["view", "add_to_cart", "purchase"];
    for (let round = 0; round < 160; round++) {
      // the same series twice, so that their figures wait to be drawn when the next ones are of fewer series
      const shown = round % 4 < 2 ? types : types.slice(0, 1);
      const rows = data.rows.filter((row) => shown.includes(String(row[1])));
      fake.push("panel", { ...data, rows, queriedAtMs: data.queriedAtMs + round });
      await delay(5 + (round % 32) * 2);
    }
    await page
      .locator(".shop-lines .chart-entry")
      .nth(types.length - 1)
      .waitFor();
    expect(complaints).to.deep.equal([]);
  });

  it("commits that came live are in the list again, whole, after an older page was looked at", async () => {
    await page.goto(linkTo(target, "/batches"));
    const rows = page.locator("tbody tr");
    await until(async () => (await rows.count()) > 51);
    const live = (await rows.allTextContents()).slice(0, 2);
    await page.getByRole("button", { name: "Older" }).click();
    await until(async () => !(await rows.allTextContents()).includes(live[0] ?? ""));
    await page.getByRole("button", { name: "Newest" }).click();
    await until(async () => {
      const shown = await rows.allTextContents();
      return live.every((text) => shown.includes(text));
    });
    expect(complaints).to.deep.equal([]);
  });

  it("back-pressure is seen: the bottleneck, who waits for it, the full queue", async () => {
    fake.job.isSlow = true;
    await page.goto(linkTo(target, "/graph"));
    await page.locator(".step.is-bottleneck", { hasText: "WriteEvents" }).waitFor();
    expect(await page.locator(".step.is-blocked").count()).to.equal(2);
    expect(await page.locator("path.edge.is-full").count()).to.equal(1);
    await page
      .getByText("Back-pressure: WriteEvents is busy behind a full queue; 2 steps wait for it.")
      .waitFor();
  });

  it("a step opens by keyboard, arrows move between steps, Escape closes and gives the focus back", async () => {
    await page.goto(linkTo(target, "/graph"));
    await page.locator("[id='step-ValidateEvents/Split']").focus();
    await page.keyboard.press("ArrowDown");
    expect(await page.evaluate("document.activeElement.id")).to.match(
      /^step-(DropDuplicates|WriteDeadLetters)/,
    );
    await page.locator("[id='step-DropDuplicates']").focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "DropDuplicates" }).waitFor();
    expect(new URL(page.url()).pathname).to.equal("/graph/DropDuplicates");
    expect(await page.locator(".step-panel").textContent()).to.contain("6.00 MiB");
    await page.keyboard.press("Escape");
    await page.locator(".step-panel").waitFor({ state: "detached" });
    expect(await page.evaluate("document.activeElement.id")).to.equal("step-DropDuplicates");
  });

  it("pause acts at once, drain asks first, and only what the job can do is there", async () => {
    await page.goto(linkTo(target, "/"));
    await page.getByRole("button", { name: "Pause" }).click();
    await page.locator(".badge", { hasText: "PAUSED" }).waitFor();
    expect(await page.getByRole("button", { name: "Pause" }).count()).to.equal(0);
    await page.getByRole("button", { name: "Drain" }).click();
    await page.getByRole("button", { name: "Leave it" }).click();
    await page.getByRole("button", { name: "Drain" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Drain" }).click();
    await page.locator(".badge", { hasText: "DRAINING" }).waitFor();
    expect(fake.posted.map(({ path }) => path)).to.deep.equal(["/api/job/pause", "/api/job/drain"]);
    await page.getByRole("button", { name: "Drain" }).waitFor({ state: "detached" });
    expect(await page.getByRole("button", { name: "Cancel" }).count()).to.equal(1);
  });

  it("without the token a button says what is missing", async () => {
    await page.goto(`${target.url}/`);
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("status").getByText("Pause needs the token").waitFor();
    expect(fake.posted).to.deep.equal([]);
  });

  it("a letter is edited and retried with exactly the bytes that were typed", async () => {
    await page.goto(linkTo(target, "/dead-letters/420"));
    await page.getByText("what cannot be seen is named").waitFor();
    // 420 is no valid UTF-8: its bytes are edited, not its text
    const bytes = page.getByLabel("The record's bytes in hexadecimal");
    await bytes.fill("6g");
    await page.getByRole("button", { name: "Retry with the changes" }).click();
    await page.getByRole("alert").getByText('got "g" at 1').waitFor();
    await page.goto(linkTo(target, "/dead-letters/419"));
    await page.getByLabel("The record as text").fill("e-1,u-1,view,p-é,1.00,2026-01-01 00:00:00\n");
    await page.getByRole("button", { name: "Retry with the changes" }).click();
    await page.locator(".badge", { hasText: "requested" }).waitFor();
    const raw = Buffer.from("e-1,u-1,view,p-é,1.00,2026-01-01 00:00:00\n").toString("base64");
    expect(fake.posted).to.deep.equal([{ path: "/api/dead-letters/419/retry", body: { rawBase64: raw } }]);
  });

  it("letters are found, chosen by reason, retried together and exported", async () => {
    await page.goto(linkTo(target, "/dead-letters"));
    await page.locator(".reasons button", { hasText: "Field count" }).click();
    await page.locator("tbody tr", { hasText: "a record has 6 fields" }).first().waitFor();
    await until(async () =>
      (await page.locator("tbody tr").allTextContents()).every((text) => text.includes("Field count")),
    );
    await page.getByRole("button", { name: "Retry all" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Retry all" }).click();
    await page.getByRole("status").getByText("105 letters will be read again").waitFor();
    expect(fake.posted).to.deep.equal([{ path: "/api/dead-letters/retry", body: { reason: "field_count" } }]);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Export" }).click(),
    ]);
    expect(download.suggestedFilename()).to.equal("dead-letters-field_count.ndjson");
    await page.getByLabel("Search").fill("nothing like this");
    await page.getByText("No letter is like that.").waitFor();
  });

  it("a panel whose query failed is shown as stale, with its age and the reason", async () => {
    await page.goto(linkTo(target, "/shop"));
    await page.locator(".notice", { hasText: "Stale: this is of" }).waitFor();
    expect(await page.locator(".notice").textContent()).to.contain("statement timeout (57014)");
  });

  it("a tab that stays hidden gives its stream back, and takes it again when it is seen", async () => {
    await page.goto(linkTo(target, "/"));
    await page.locator(".connection", { hasText: "Live" }).waitFor();
    await seen(page, false);
    await until(async () => fake.openStreams === 0);
    await seen(page, true);
    await until(async () => fake.openStreams === 1);
  });

  it("a tab that was opened in the background gives its stream back as well", async () => {
    await page.addInitScript(hiddenIs(true));
    await page.goto(linkTo(target, "/"));
    await until(async () => fake.openStreams === 1);
    await until(async () => fake.openStreams === 0);
    await seen(page, true);
    await until(async () => fake.openStreams === 1);
  });

  it("a record that is HTML stays text: in the list, its fields, its bytes and a panel", async () => {
    await page.goto(linkTo(target, "/dead-letters/401"));
    await page.locator(".fields .is-failing code", { hasText: hostile }).waitFor();
    expect(await page.locator(".raw").textContent()).to.contain(hostile);
    expect(await page.locator(".letter-messages").textContent()).to.contain(hostile);
    await page.getByLabel("Hex", { exact: true }).check();
    expect(await page.locator(".raw").textContent()).to.contain("69 6d 67 20 73 72 63");
    for (const path of ["/dead-letters", "/shop"]) {
      await page.goto(linkTo(target, path));
      await page.locator("td", { hasText: "<img src=x onerror" }).first().waitFor();
    }
    expect(await page.locator("main img").count()).to.equal(0);
    expect(await page.title()).not.to.contain("owned");
  });

  it(`all files together are under ${gzippedMax} bytes gzipped`, async () => {
    const files = [
      "index.html",
      "icon.svg",
      ...(await readdir(join(pagesDir, "assets"))).map((name) => `assets/${name}`),
    ];
    const sizes = await Promise.all(
      files.map(async (file) => gzipSync(await readFile(join(pagesDir, file)), { level: 9 }).length),
    );
    expect(sizes.reduce((sum, size) => sum + size, 0)).to.be.below(gzippedMax);
  });
});

/** As the browser tells a page that its tab was hidden or is seen again. */
async function seen(page: Page, isSeen: boolean): Promise<void> {
  await page.evaluate(`${hiddenIs(!isSeen)}; document.dispatchEvent(new Event("visibilitychange"))`);
}

function hiddenIs(value: boolean): string {
  return `Object.defineProperty(document, "hidden", { configurable: true, value: ${value} })`;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 40_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error("It did not come to hold within 40 s");
    await delay(50);
  }
}
