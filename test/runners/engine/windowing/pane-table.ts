/**
 * Runs a text table against a GroupByKey: the table alone moves the clock and the watermark.
 *
 *   windows  fixed(00:10)                     settings come first; what is left out is Beam's default
 *   at 00:01 element a@00:01 x:b@00:02        values with their times, in one bundle; of key k unless named
 *   at 00:02 watermark 00:10                  or: end
 *   at 00:05 clock                            only processing time goes on
 *   expect   pane [00:00,00:10) a on-time     each pane that came since, in order, no other
 *   expect   hold 00:09.999                   or: none
 *   expect   wake 00:07                       the next processing time that it waits for, or: never
 *   expect   dropped 1 late, 0 closed         since the start
 *
 * A pane names its key if that is not k, and may go on with number, flags and event time, which are then compared:
 * `pane x [00:00,00:10) a,b late 2/1 last @00:09.999`.
 */
import { expect } from "chai";
import {
  type Element,
  MAX_WATERMARK_MS,
  MIN_WATERMARK_MS,
  NO_FIRING,
  type Window,
} from "../../../../runners/engine/element.js";
import { createGroupByKey, type GroupByKey } from "../../../../runners/engine/group-by-key.js";
import type { WindowingStrategy } from "../../../../runners/engine/windowing-strategy.js";
import { GLOBAL_WINDOW, IntervalWindow } from "../../../../transforms/primitives/window.js";
import { parseTime, parseTrigger, parseWindowFn, showTime, type TableWindowFn } from "./parse-strategy.js";

type Settings = { -readonly [name in keyof Omit<WindowingStrategy, "windowFn">]: WindowingStrategy[name] };

class PaneTable {
  #windowFn: TableWindowFn = parseWindowFn("global()");
  readonly #settings: Settings = {
    trigger: { kind: "default" },
    accumulation: "discarding",
    timestampCombiner: "end-of-window",
    allowedLatenessMs: 0,
    closingBehavior: "emit-if-non-empty",
    onTimeBehavior: "fire-always",
  };
  #operator: GroupByKey | undefined;
  #watermarkMs = MIN_WATERMARK_MS;
  #panes: Element[] = [];

  run(lines: readonly string[]): void {
    for (const line of lines) {
      const [word, ...rest] = line.split(/\s+/);
      try {
        if (word === "at") this.#at(parseTime(rest[0]!), rest[1]!, rest.slice(2));
        else if (word === "expect") this.#expect(rest[0]!, rest.slice(1));
        else this.#set(word!, rest.join(" "));
      } catch (error) {
        throw new Error(`${line}: ${error instanceof Error ? error.message : error}`, { cause: error });
      }
    }
    this.#expectNoMorePanes();
  }

  #set(name: string, value: string): void {
    const settings = this.#settings;
    if (name === "windows") this.#windowFn = parseWindowFn(value);
    else if (name === "trigger") settings.trigger = parseTrigger(value);
    else if (name === "lateness") settings.allowedLatenessMs = parseTime(value);
    else if (name === "mode") settings.accumulation = value as Settings["accumulation"];
    else if (name === "timestamps") settings.timestampCombiner = value as Settings["timestampCombiner"];
    else if (name === "closing") settings.closingBehavior = value as Settings["closingBehavior"];
    else if (name === "on-time") settings.onTimeBehavior = value as Settings["onTimeBehavior"];
    else throw new Error(`no setting ${name}`);
  }

  #at(processingTimeMs: number, event: string, args: readonly string[]): void {
    this.#expectNoMorePanes();
    const operator = this.#started();
    if (event === "watermark") this.#watermarkMs = args[0] === "end" ? MAX_WATERMARK_MS : parseTime(args[0]!);
    else if (event !== "clock" && event !== "element") throw new Error(`nothing is called ${event}`);
    const times = { inputWatermarkMs: this.#watermarkMs, processingTimeMs };
    if (event === "element") {
      operator.add(
        args.map((arg) => this.#element(arg)),
        times,
      );
    } else operator.advance(times);
    this.#panes.push(...operator.takeOutput());
  }

  #element(text: string): Element {
    const match = /^(?:(\w+):)?(\w+)@(.+)$/.exec(text);
    if (match === null) throw new Error(`an element is value@time or key:value@time, got "${text}"`);
    const [, key = "k", value, time] = match;
    const timestampMs = parseTime(time!);
    return {
      value: { key, value },
      timestampMs,
      windows: this.#windowFn.assign(timestampMs),
      pane: NO_FIRING,
    };
  }

  #expect(what: string, args: readonly string[]): void {
    const operator = this.#started();
    if (what === "pane") this.#expectPane(args);
    else if (what === "hold") {
      const hold = operator.holdMs === MAX_WATERMARK_MS ? "none" : showHold(operator.holdMs);
      expect(hold).to.equal(args[0]);
    } else if (what === "wake") {
      const next = operator.nextProcessingTimeMs;
      expect(next === undefined ? "never" : showTime(next)).to.equal(args[0]);
    } else if (what === "dropped") {
      const dropped = `${operator.droppedDueToLateness} late, ${operator.droppedDueToClosedWindow} closed`;
      expect(dropped).to.equal(args.join(" "));
    } else throw new Error(`no expectation ${what}`);
  }

  #expectPane(args: readonly string[]): void {
    const pane = this.#panes.shift();
    if (pane === undefined) throw new Error("no pane came");
    const expected = args.join(" ");
    const isInDetail = /\d+\/-?\d+/.test(expected);
    const isTimed = expected.includes("@");
    expect(showPane(pane, isInDetail, isTimed)).to.equal(expected);
  }

  #expectNoMorePanes(): void {
    expect(
      this.#panes.map((pane) => showPane(pane, true, true)),
      "panes that the table does not expect",
    ).to.eql([]);
  }

  #started(): GroupByKey {
    this.#operator ??= createGroupByKey({
      kind: "groupByKey",
      id: "Group",
      input: "in",
      output: "out",
      strategy: { ...this.#settings, windowFn: this.#windowFn },
      keyId: (key) => key as string,
    });
    return this.#operator;
  }
}

/** Declares a test per table; a table's first line is its name, the criterion. */
export function paneTables(symbol: string, text: string): void {
  describe(symbol, () => {
    for (const table of text.split(/\n\s*\n/)) {
      const [name, ...lines] = table
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => line !== "");
      if (name === undefined) continue;
      if (!lines.some((line) => line.startsWith("expect")))
        throw new Error(`table "${name}" expects nothing`);
      it(name, () => new PaneTable().run(lines));
    }
  });
}

function showHold(holdMs: number): string {
  return holdMs === GLOBAL_WINDOW.maxTimestampMs ? "global" : showTime(holdMs);
}

function showWindow(window: Window): string {
  if (!(window instanceof IntervalWindow)) return "global";
  return `[${showTime(window.startMs)},${showTime(window.endMs)})`;
}

function showPane(element: Element, isInDetail: boolean, isTimed: boolean): string {
  const { key, value } = element.value as { key: string; value: Iterable<string> };
  const { timing, index, nonSpeculativeIndex, isFirst, isLast } = element.pane;
  expect(element.windows).to.have.length(1);
  const parts = [
    ...(key === "k" ? [] : [key]),
    showWindow(element.windows[0]!),
    [...value].join(",") || "nothing",
    timing.toLowerCase().replace("_", "-"),
  ];
  if (isInDetail) {
    parts.push(`${index}/${nonSpeculativeIndex}`);
    if (isFirst) parts.push("first");
    if (isLast) parts.push("last");
  }
  if (isTimed) parts.push(`@${showHold(element.timestampMs)}`);
  return parts.join(" ");
}
