/** What a page shows, as text: tables, tiles, facts, and the wait until it agrees with what is so. */
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "chai";
import type { Page } from "playwright-core";

const agreeMaxMs = 20_000;

/** Pages renew themselves, some after seconds: until then, or until it is sure that they do not. */
export async function agree<T>(what: string, shown: () => Promise<T>, truth: () => unknown): Promise<void> {
  const end = Date.now() + agreeMaxMs;
  for (;;) {
    const expected = await truth();
    const actual = await shown();
    try {
      expect(actual, what).to.deep.equal(expected);
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await delay(100);
  }
}

/** The texts of a table's cells, by the titles of its columns; empty where the table is not there. */
export async function tableOf(
  page: Page,
  label: string,
  columns: readonly string[],
): Promise<Record<string, string>[]> {
  const frame = `section[aria-label="${label}"]`;
  const rows = (await page.evaluate(`(() => {
    const frame = document.querySelector(${JSON.stringify(frame)});
    if (frame === null) return [];
    const text = (element) => element.textContent.trim();
    const titles = [...frame.querySelectorAll("th")].map(text);
    return [...frame.querySelectorAll("tbody tr")].map((row) =>
      Object.fromEntries([...row.children].map((cell, at) => [titles[at], text(cell)])));
  })()`)) as Record<string, string>[];
  return rows.map((row) =>
    Object.fromEntries(columns.map((title) => [title, row[title] ?? "no such column"])),
  );
}

/** Names and values of the definition lists that the selector finds; a value is its first text. */
export async function pairsOf(page: Page, selector: string): Promise<Record<string, string>> {
  return (await page.evaluate(`Object.fromEntries(
    [...document.querySelectorAll(${JSON.stringify(`${selector} > div`)})].map((pair) => {
      const value = pair.querySelector("dd");
      const first = value.querySelector(".tile-value") ?? value;
      return [pair.querySelector("dt").textContent.trim(), first.textContent.trim()];
    }),
  )`)) as Record<string, string>;
}

export async function textsOf(page: Page, selector: string): Promise<string[]> {
  return (await page.locator(selector).allTextContents()).map((text) => text.trim());
}

/** As the pages write numbers. */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** `invalid_price` as the pages write it. */
export function words(name: string): string {
  const spaced = name.replaceAll("_", " ");
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

/** `2026-11-28 14:03:59` in UTC, which is the browser's time zone in these tests. */
export function dateTime(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace("T", " ");
}

export function mapValues<From, To>(of: Record<string, From>, map: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(of).map(([name, value]) => [name, map(value)]));
}
