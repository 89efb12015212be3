/** Every page in a real browser: complete, safe, readable by all, on a phone and in the dark. */
import { expect } from "chai";
import type { Browser, Page } from "playwright-core";
import { violations } from "./axe.js";
import { desktop, type Look, launchChromium, openPage, phone } from "./chromium.js";
import { knownPages, openKnown, waitFor } from "./pages.js";
import { linkTo, openTarget, type Target } from "./target.js";

describe("the pages in Chromium", () => {
  let target: Target;
  let browser: Browser;

  before(async () => {
    target = await openTarget();
    browser = await launchChromium();
  });

  after(async () => {
    await browser?.close();
    await target?.stop();
  });

  /** Runs a body with a page and then expects that the browser complained of nothing: no error, no breach of the CSP. */
  async function withPage(look: Look, body: (page: Page) => Promise<void>): Promise<void> {
    const { page, context, complaints } = await openPage(browser, look);
    try {
      await body(page);
      expect(complaints).to.deep.equal([]);
    } finally {
      await context.close();
    }
  }

  for (const theme of ["light", "dark"] as const) {
    for (const known of knownPages) {
      it(`${known.name} is complete and without violations of axe, ${theme}`, async () => {
        await withPage({ ...desktop, theme }, async (page) => {
          await openKnown(page, target, known);
          expect(await violations(page)).to.deep.equal([]);
        });
      });
    }
  }

  for (const known of knownPages) {
    it(`${known.name} fits a phone of 360 px, and axe finds nothing there`, async () => {
      await withPage(phone, async (page) => {
        await openKnown(page, target, known);
        const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
        expect(overflow).to.equal(0);
        expect(await violations(page)).to.deep.equal([]);
      });
    });

    it(`${known.name} fills a 4K screen without scrolling sideways`, async () => {
      await withPage({ ...desktop, width: 3_840, height: 2_160 }, async (page) => {
        await openKnown(page, target, known);
        expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).to.equal(0);
      });
    });
  }

  it("the links lead to every page, with the keyboard alone", async () => {
    await withPage(desktop, async (page) => {
      await page.goto(linkTo(target, "/"));
      await page.locator(".connection", { hasText: "Live" }).waitFor();
      for (const known of knownPages.slice(1)) {
        // from the skip link at the top to the page's link, by Tab only
        await page.evaluate("document.activeElement?.blur(); scrollTo(0, 0)");
        for (let presses = 0; presses < 40; presses++) {
          await page.keyboard.press("Tab");
          if ((await page.evaluate("document.activeElement?.textContent")) === known.title) break;
        }
        await page.keyboard.press("Enter");
        await waitFor(page, known);
        expect(new URL(page.url()).pathname).to.equal(known.path);
      }
      await page.goBack();
      await page.locator("h1", { hasText: knownPages.at(-2)?.title ?? "" }).waitFor();
    });
  });

  it("the token goes from the address to the session, and an address nobody knows says so", async () => {
    await withPage(desktop, async (page) => {
      await page.goto(linkTo(target, "/environment"));
      await page.locator("table tbody tr").first().waitFor();
      expect(page.url()).to.equal(`${target.url}/environment`);
      await page.goto(`${target.url}/nowhere`);
      await page.getByText("Nothing is at this address.").waitFor();
    });
  });

  it("without the token a page that needs it says how to get it, and takes it", async () => {
    const { page, context } = await openPage(browser, desktop);
    try {
      await page.goto(`${target.url}/environment`);
      await page.getByRole("heading", { name: "This needs the token" }).waitFor();
      expect(await violations(page)).to.deep.equal([]);
      await page.getByLabel("Token").fill(target.token);
      await page.getByRole("button", { name: "Use token" }).click();
      await page.locator("table tbody tr").first().waitFor();
    } finally {
      await context.close();
    }
  });

  it("the switch chooses the theme, and the choice survives loading the page anew", async () => {
    await withPage(desktop, async (page) => {
      await page.goto(linkTo(target, "/"));
      await page.locator(".switch label", { hasText: "Dark" }).click();
      expect(await page.evaluate("document.documentElement.dataset.theme")).to.equal("dark");
      await page.reload();
      await page.locator(".tiles .tile").first().waitFor();
      expect(await page.evaluate("document.documentElement.dataset.theme")).to.equal("dark");
    });
  });

  it("no script, style or handler stands in the document itself, and nothing comes from elsewhere", async () => {
    const html = await (await fetch(`${target.url}/`)).text();
    expect(html).not.to.match(/<style|style=|<script(?![^>]*\bsrc=)|\son\w+=/);
    await withPage(desktop, async (page) => {
      const hosts = new Set<string>();
      page.on("request", (request) => hosts.add(new URL(request.url()).origin));
      await openKnown(page, target, knownPages[0] ?? expect.fail("there is no page"));
      expect([...hosts]).to.deep.equal([target.url]);
    });
  });
});
