/** Writes a picture of each page, light and dark, desktop and phone, into docs/monitor. */
import { mkdir, writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { desktop, launchChromium, openPage, phone } from "./chromium.js";
import { type KnownPage, knownPages, openKnown } from "./pages.js";
import { withPalette } from "./png-palette.js";
import { openTarget } from "./target.js";

const folder = process.argv[2] ?? "docs/monitor";
/** Charts are drawn, and two live updates are in. */
const settleMs = 1_200;

const target = await openTarget();
const browser = await launchChromium();
const pictures: readonly KnownPage[] = [
  ...knownPages,
  { name: "step", path: "/graph/WriteEvents", title: "Graph", shows: [".step-panel .facts dd"] },
  { name: "batch", path: "/batches/8042", title: "Batches", shows: [".bars .meter", "table tbody tr"] },
  {
    name: "dead-letter",
    path: "/dead-letters/401",
    title: "Dead letters",
    shows: [".fields .is-failing", ".raw", "textarea"],
  },
];
try {
  await mkdir(folder, { recursive: true });
  for (const theme of ["light", "dark"] as const) {
    for (const size of [desktop, phone]) {
      const { page, context } = await openPage(browser, { ...size, theme });
      for (const picture of pictures) {
        if (target.fake !== null) target.fake.job.isSlow = picture.path.startsWith("/graph");
        await openKnown(page, target, picture);
        await delay(settleMs);
        const path = `${folder}/${picture.name}-${size === phone ? "phone" : "desktop"}-${theme}.png`;
        const picture256 = withPalette(await page.screenshot());
        await writeFile(path, picture256);
        console.log(`${path} ${Math.round(picture256.length / 1_000)} kB`);
      }
      await context.close();
    }
  }
} finally {
  await browser.close();
  await target.stop();
}
