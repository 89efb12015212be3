/** Debian's Chromium, driven by playwright-core: one browser, a page of each size and theme as tests ask for it. */
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

const executablePath = process.env["MILLRACE_CHROMIUM"] ?? "/usr/bin/chromium";
const args = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export interface Look {
  readonly width: number;
  readonly height: number;
  readonly theme: "light" | "dark";
  readonly isPhone?: boolean;
}

export const desktop: Look = { width: 1_440, height: 900, theme: "light" };
export const phone: Look = { width: 360, height: 740, theme: "light", isPhone: true };

export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath, args });
}

/** A fresh page, with everything that it complained of. */
export async function openPage(
  browser: Browser,
  look: Look,
): Promise<{ page: Page; context: BrowserContext; complaints: string[] }> {
  const context = await browser.newContext({
    viewport: { width: look.width, height: look.height },
    colorScheme: look.theme,
    hasTouch: look.isPhone === true,
    isMobile: look.isPhone === true,
    reducedMotion: "reduce",
    locale: "en-GB",
    timezoneId: "UTC",
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  return { page, context, complaints };
}
