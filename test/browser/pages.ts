/** Every page with what shows that its contents are there. */
import type { Page } from "playwright-core";
import { linkTo, type Target } from "./target.js";

export interface KnownPage {
  readonly name: string;
  readonly path: string;
  readonly title: string;
  /** All of these are seen when the page is complete. */
  readonly shows: readonly string[];
}

export const knownPages: readonly KnownPage[] = [
  {
    name: "overview",
    path: "/",
    title: "Overview",
    shows: [".tiles .tile", ".chart canvas", ".ledger-bar", "table tbody tr"],
  },
  { name: "graph", path: "/graph", title: "Graph", shows: [".graph .step", ".graph svg"] },
  {
    name: "batches",
    path: "/batches",
    title: "Batches",
    shows: [".chart-pair canvas", ".histogram svg", "table tbody tr"],
  },
  {
    name: "checkpoints",
    path: "/checkpoints",
    title: "Checkpoints",
    shows: [".tiles .tile", ".quarters .panel", "table tbody tr"],
  },
  { name: "files", path: "/files", title: "Files", shows: ["table tbody tr", ".meter"] },
  {
    name: "dead-letters",
    path: "/dead-letters",
    title: "Dead letters",
    shows: [".reasons button", ".chart canvas", "table tbody tr"],
  },
  {
    name: "shop",
    path: "/shop",
    title: "Shop",
    shows: [".funnel li", ".shop-lines canvas", ".bar", "table tbody tr"],
  },
  { name: "environment", path: "/environment", title: "Environment", shows: ["table tbody tr", ".facts dd"] },
];

/** Opens it with the token and waits until all of it is there. */
export async function openKnown(page: Page, target: Target, known: KnownPage): Promise<void> {
  await page.goto(linkTo(target, known.path));
  await waitFor(page, known);
}

export async function waitFor(page: Page, known: KnownPage): Promise<void> {
  await page.locator("h1", { hasText: known.title }).waitFor();
  for (const selector of known.shows) await page.locator(selector).first().waitFor();
  await page.locator(".connection", { hasText: "Live" }).waitFor();
}
