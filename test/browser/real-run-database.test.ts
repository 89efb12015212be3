/** Pages of a real run whose PostgreSQL goes away and comes back: what is wrong is said, and then all is right again. */
import { expect } from "chai";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { ownServer, type PrivateServer } from "../support/postgres.js";
import { desktop, launchChromium, openPage } from "./chromium.js";
import { knownPages, openKnown } from "./pages.js";
import { figuresAgree } from "./real-figures.js";
import { goodFile, moreFile } from "./real-input.js";
import { RealRun } from "./real-run.js";

/** What Chromium itself writes when an answer is no success. */
const unavailable = /^Failed to load resource: the server responded with a status of 503/;

describe("the pages of a real run without its database", () => {
  let server: PrivateServer;
  let run: RealRun;
  let browser: Browser;
  const contexts: BrowserContext[] = [];

  before(async () => {
    browser = await launchChromium();
    server = await ownServer();
    run = await RealRun.create(server);
    await run.launch();
    await run.drop(goodFile());
    await run.committed();
  });

  after(async () => {
    for (const context of contexts) await context.close();
    await browser?.close();
    await run?.remove();
  });

  async function open(name: string): Promise<{ page: Page; complaints: string[] }> {
    const known = knownPages.find((one) => one.name === name) ?? expect.fail(`no page ${name}`);
    const { page, context, complaints } = await openPage(browser, desktop);
    contexts.push(context);
    await openKnown(page, run.target, known);
    return { page, complaints };
  }

  it("say what it waits for, keep what they had, and go on by themselves", async () => {
    const opened = {
      overview: await open("overview"),
      batches: await open("batches"),
      files: await open("files"),
    };
    const { overview, batches, files } = opened;
    await server.stop("immediate");
    await run.drop(moreFile("meanwhile.csv", 600, 40));
    await overview.page.locator(".verdict.level-error", { hasText: "It is waiting to try again" }).waitFor();
    await overview.page.locator(".connection", { hasText: "Live" }).waitFor();
    await files.page.locator(".notice", { hasText: "What is shown was read at" }).waitFor();
    expect(await files.page.locator("tbody tr", { hasText: "good.csv" }).count()).to.equal(1);
    // read for the first time, there is nothing that could be kept
    await batches.page.reload();
    await batches.page.locator(".notice", { hasText: "the answer is not to be had now" }).first().waitFor();
    await server.start();
    await run.reconnect();
    await run.committed();
    for (const [name, { page, complaints }] of Object.entries(opened)) {
      await figuresAgree[name]?.(page, run);
      await page.locator(".notice").first().waitFor({ state: "detached" });
      await page.locator(".verdict.level-ok").waitFor();
      expect(
        complaints.filter((text) => !unavailable.test(text)),
        name,
      ).to.deep.equal([]);
    }
  });
});
