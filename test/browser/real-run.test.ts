/** Every page on a real run with a real PostgreSQL: true figures, hostile records as text, letters mended, no token. */
import { readFile } from "node:fs/promises";
import { expect } from "chai";
import type { Browser, Page } from "playwright-core";
import { expectBalance } from "../support/letter-balance.js";
import { jsonLines, until } from "../support/product.js";
import { violations } from "./axe.js";
import { desktop, type Look, launchChromium, openPage, phone } from "./chromium.js";
import { type KnownPage, knownPages, openKnown } from "./pages.js";
import { figuresAgree } from "./real-figures.js";
import { dearPrice, event, goodFile, malformedFile, markup, moreFile, repeatsFile } from "./real-input.js";
import { RealRun } from "./real-run.js";
import { commitsOf } from "./real-truth.js";
import { agree, mapValues, pairsOf, tableOf, textsOf } from "./shown.js";
import { linkTo } from "./target.js";

describe("the pages of a real run", () => {
  let run: RealRun;
  let browser: Browser;

  before(async () => {
    browser = await launchChromium();
    run = await RealRun.create();
    await run.session.query(`alter table user_events add constraint cheap check (price < ${dearPrice})`);
    await run.launch();
    await run.drop(goodFile());
    await run.committed();
    await run.drop(repeatsFile());
    await run.committed();
    await run.drop(malformedFile());
    await run.committed();
  });

  after(async () => {
    await browser?.close();
    await run?.remove();
  });

  /** A page that complains of nothing, asks nobody but the run, and runs nothing of a record. */
  async function withPage(look: Look, body: (page: Page) => Promise<void>): Promise<void> {
    const { page, context, complaints } = await openPage(browser, look);
    const origins = new Set<string>();
    page.on("request", (request) => origins.add(new URL(request.url()).origin));
    try {
      await body(page);
      expect(complaints).to.deep.equal([]);
      expect([...origins].filter((origin) => origin !== run.target.url && origin !== "null")).to.deep.equal(
        [],
      );
      expect(await page.evaluate("typeof window.__pwned")).to.equal("undefined");
    } finally {
      await context.close();
    }
  }

  const agrees = (known: KnownPage, page: Page) =>
    (figuresAgree[known.name] ?? expect.fail(`nothing is known of ${known.name}`))(page, run);

  it("what PostgreSQL has is what the files held", async () => {
    const status = (await run.status()) ?? expect.fail("no status");
    expect({
      recordsRead: status.records_read,
      eventsWritten: status.events_written,
      duplicates: status.duplicates,
      conflicts: status.conflicts,
      deadLetters: status.dead_letters,
    }).to.deep.equal(run.expected);
    await expectBalance(run.session);
  });

  for (const theme of ["light", "dark"] as const) {
    for (const known of knownPages) {
      it(`${known.name} shows what PostgreSQL says, without violations of axe, ${theme}`, async () => {
        await withPage({ ...desktop, theme }, async (page) => {
          await openKnown(page, run.target, known);
          await agrees(known, page);
          expect(await violations(page)).to.deep.equal([]);
        });
      });
    }
  }

  for (const known of knownPages) {
    it(`${known.name} fits a phone of 360 px, and axe finds nothing there`, async () => {
      await withPage(phone, async (page) => {
        await openKnown(page, run.target, known);
        expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).to.equal(0);
        expect(await violations(page)).to.deep.equal([]);
      });
    });
  }

  it("a batch's own page shows its records and what it read: all batches together, every byte of every file", async () => {
    await withPage(desktop, async (page) => {
      const bytes: Record<string, number> = {};
      for (const commit of await commitsOf(run, 50)) {
        await page.goto(linkTo(run.target, `/batches/${commit["Epoch"]}`));
        await page.locator(".ledger-read").waitFor();
        const parts = mapValues(await pairsOf(page, ".ledger-parts"), (text) => text.split(" ")[0]);
        expect({ Read: (await textsOf(page, ".ledger-read"))[0], ...parts }).to.deep.equal({
          Read: commit["Read"],
          Written: commit["Written"],
          Duplicates: commit["Duplicates"],
          Conflicts: commit["Conflicts"],
          "Dead letters": commit["Dead letters"],
        });
        for (const row of await tableOf(page, "Files it read", ["File", "From byte", "To byte"])) {
          const [from = 0, to = 0] = [row["From byte"], row["To byte"]].map((text) =>
            Number(text?.replaceAll(",", "")),
          );
          bytes[row["File"] ?? ""] = (bytes[row["File"] ?? ""] ?? 0) + to - from;
        }
      }
      const sizes = await run.session.query<{ path: string; size: number }>(
        "select path, size from source_files",
      );
      expect(bytes).to.deep.equal(Object.fromEntries(sizes.map(({ path, size }) => [path, size])));
    });
  });

  it("pages that are open follow a file that comes, without being loaded anew", async () => {
    const followed = knownPages.filter(({ name }) => name !== "environment");
    const opened = await Promise.all(
      followed.map(async (known) => {
        const one = await openPage(browser, desktop);
        await openKnown(one.page, run.target, known);
        return { ...one, known };
      }),
    );
    try {
      await run.drop(moreFile("more.csv", 500, 260));
      await run.committed();
      for (const { page, known, complaints } of opened) {
        await agrees(known, page);
        expect(complaints, known.name).to.deep.equal([]);
      }
    } finally {
      for (const { context } of opened) await context.close();
    }
  });

  it("markup in fields, messages, identifiers and a file's name stays text on every page", async () => {
    await withPage(desktop, async (page) => {
      for (const [id] of await letters("true")) {
        await page.goto(linkTo(run.target, `/dead-letters/${id}`));
        await page.locator(".raw pre").waitFor();
        expect(await foreignElements(page)).to.deep.equal([]);
      }
      const [[id, raw] = expect.fail("no letter")] = await letters("reason = 'invalid_product_id'");
      await page.goto(linkTo(run.target, `/dead-letters/${id}`));
      await page.locator(".fields .is-failing code", { hasText: markup.image }).waitFor();
      expect(await page.locator(".raw pre").textContent()).to.contain(raw);
      expect(await page.getByLabel("The record as text").inputValue()).to.equal(raw);
      expect(await page.locator(".letter-messages").textContent()).to.contain(markup.image);
      expect(await page.locator(".facts code").first().textContent()).to.equal(markup.fileName);
      const seen = { files: markup.fileName, shop: markup.script, "dead-letters": markup.image };
      for (const known of knownPages) {
        await openKnown(page, run.target, known);
        const text = seen[known.name as keyof typeof seen];
        if (text !== undefined) await page.locator("td", { hasText: text }).first().waitFor();
        expect(await foreignElements(page), known.name).to.deep.equal([]);
      }
    });
  });

  it("a letter is mended in the page: its row appears, the letter is marked, the ledger is balanced", async () => {
    const [[id] = expect.fail("no letter")] = await letters("reason = 'invalid_price'");
    await withPage(desktop, async (page) => {
      await page.goto(linkTo(run.target, `/dead-letters/${id}`));
      await page.getByLabel("The record as text").fill(event(9_001, "12.34"));
      await page.getByRole("button", { name: "Retry with the changes" }).click();
      await page.getByRole("status").getByText(`Letter ${id}: the retry is requested.`).waitFor();
      await page.locator(".badge", { hasText: "written" }).waitFor();
      expect(await page.getByRole("button", { name: "Retry" }).count()).to.equal(0);
      const rows = await run.session.query(
        "select price::text from user_events where event_id = 'event-9001'",
      );
      expect(rows).to.deep.equal([{ price: "12.34" }]);
      const [epoch] = await run.session.query<{ e: number }>(
        `select retried_epoch as e from dead_letters where id = ${id}`,
      );
      expect(await page.locator(".facts").textContent()).to.contain(`decided in epoch ${epoch?.e}`);
      await page.getByRole("link", { name: "All dead letters" }).click();
      await figuresAgree["dead-letters"]?.(page, run);
      await page.locator("nav a", { hasText: "Overview" }).click();
      await figuresAgree["overview"]?.(page, run);
    });
    await expectBalance(run.session);
  });

  it("a letter that stays wrong is marked as rejected, with why, and can be mended again", async () => {
    const [[id] = expect.fail("no letter")] = await letters("reason = 'invalid_event_type'");
    await withPage(desktop, async (page) => {
      await page.goto(linkTo(run.target, `/dead-letters/${id}`));
      await page.getByRole("button", { name: "Retry as it is" }).click();
      await page.locator(".badge", { hasText: "rejected" }).waitFor();
      await page.locator(".facts div", { hasText: "Rejected again" }).getByText(markup.image).waitFor();
      await page.getByRole("button", { name: "Retry as it is" }).waitFor();
      expect(await foreignElements(page)).to.deep.equal([]);
    });
    await expectBalance(run.session);
  });

  it("all letters of a reason are retried at once, and the list shows what became of them", async () => {
    await run.session.query("alter table user_events drop constraint cheap");
    await withPage(desktop, async (page) => {
      await openKnown(
        page,
        run.target,
        knownPages.find(({ name }) => name === "dead-letters") ?? expect.fail(),
      );
      await page.locator(".reasons button", { hasText: "Rejected by database" }).click();
      await page.getByRole("button", { name: "Retry all" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Retry all" }).click();
      await page.getByRole("status").getByText("3 letters will be read again").waitFor();
      await agree(
        "what became of them",
        () => tableOf(page, "Dead letters", ["Reason", "Retry"]),
        () => Array.from({ length: 3 }, () => ({ Reason: "Rejected by database", Retry: "written" })),
      );
    });
    const rows = await run.session.query("select from user_events where event_id like 'dear-%'");
    expect(rows).to.have.length(3);
    await expectBalance(run.session);
  });

  it("an export is a download with every letter's bytes", async () => {
    await withPage(desktop, async (page) => {
      await openKnown(
        page,
        run.target,
        knownPages.find(({ name }) => name === "dead-letters") ?? expect.fail(),
      );
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: "Export" }).click(),
      ]);
      expect(download.suggestedFilename()).to.equal("dead-letters.ndjson");
      const lines = jsonLines(await readFile(await download.path(), "utf8"));
      expect(lines.map((line) => line["raw_encoding"])).to.deep.equal(lines.map(() => "utf8"));
      const raws = lines.map((line) => line["raw"]);
      expect(raws).to.have.members((await letters("true")).map(([, raw]) => raw));
    });
  });

  it("without the token records and changes are refused, and counters are shown", async () => {
    const { page, context } = await openPage(browser, desktop);
    try {
      const before = await run.status();
      for (const path of ["/dead-letters", "/shop", "/environment", "/dead-letters/1"]) {
        await page.goto(`${run.target.url}${path}`);
        await page.getByRole("heading", { name: "This needs the token" }).waitFor();
        const text = (await page.locator("main").textContent()) ?? "";
        for (const secret of Object.values(markup)) expect(text, path).not.to.contain(secret);
      }
      await page.goto(`${run.target.url}/dead-letters`);
      await page.locator(".reasons button", { hasText: "Field count" }).waitFor();
      for (const name of ["overview", "graph", "batches", "checkpoints", "files"]) {
        const known = knownPages.find((one) => one.name === name) ?? expect.fail();
        await page.goto(`${run.target.url}${known.path}`);
        await page.locator(".connection", { hasText: "Live" }).waitFor();
        if (name !== "checkpoints" && name !== "graph") await agrees(known, page);
      }
      for (const action of ["Pause", "Drain"]) {
        await page.getByRole("button", { name: action }).click();
        if (action === "Drain") await page.getByRole("dialog").getByRole("button", { name: action }).click();
        await page.getByRole("status").getByText(`${action} needs the token`).waitFor();
      }
      await until(
        async () => (await page.locator(".badge", { hasText: "RUNNING" }).count()) === 1,
        "RUNNING",
      );
      expect(await run.status()).to.deep.equal(before);
    } finally {
      await context.close();
    }
  });

  /** Ids and bytes, the newest first. */
  async function letters(condition: string): Promise<[id: number, raw: string][]> {
    const rows = await run.session.query<{ id: number; raw: string }>(
      `select id, convert_from(raw, 'UTF8') as raw from dead_letters where ${condition} order by id desc`,
    );
    return rows.map(({ id, raw }) => [id, raw]);
  }
});

/** Elements that these pages never make, and scripts that are none of their files. */
async function foreignElements(page: Page): Promise<string[]> {
  return (await page.evaluate(
    `[...document.querySelectorAll("img, iframe, object, embed, script:not([src^='/assets/']), [onerror]")].map((e) => e.outerHTML)`,
  )) as string[];
}
