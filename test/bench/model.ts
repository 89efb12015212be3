/** What the Beam model costs on the direct runner: each case in a process of its own, without a database. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { printTable } from "./report.js";

const HOPS = 20;
/** Distinct ids each: the cache of `deduplicate` and the state of `deduplicatePerKey`. */
const DEDUPES = ["dedupe-cache-65536", "dedupe-cache-all", "dedupe-state-65536", "dedupe-state-all"];

export interface ModelResult {
  readonly name: string;
  readonly elements: number;
  readonly groups: number;
  /** User and system time of the run, start-up of Node not counted. */
  readonly cpuS: number;
  readonly wallS: number;
  /** Largest resident set in the middle of the run, and of all of it: equal means flat. */
  readonly halfwayRssMb: number;
  readonly peakRssMb: number;
}

/** @param scale 1 for the sizes that the claims are about, less for a quick look. */
export function measureModel(scale: number): ModelResult[] {
  const million = 1_000_000 * scale;
  return [
    measure("no-hops", 5 * million),
    measure("hops", 5 * million),
    measure("csv-gbk", 10 * million),
    measure("create", million),
    ...["no-dedupe", ...DEDUPES].map((name) => measure(name, million)),
  ];
}

export function printModel(results: readonly ModelResult[]): void {
  printTable(
    "The model on the direct runner",
    ["case", "elements", "groups", "CPU s", "elements a CPU s", "wall s", "halfway RSS MB", "peak RSS MB"],
    results.map((result) => [
      result.name,
      String(result.elements),
      String(result.groups),
      result.cpuS.toFixed(2),
      String(Math.round(result.elements / result.cpuS)),
      result.wallS.toFixed(2),
      result.halfwayRssMb.toFixed(0),
      result.peakRssMb.toFixed(0),
    ]),
  );
  console.log(
    `\na fused synchronous hop: ${(microsMore(results, "hops", "no-hops") / HOPS).toFixed(3)} µs CPU`,
  );
  for (const name of DEDUPES) {
    console.log(`${name}: ${microsMore(results, name, "no-dedupe").toFixed(2)} µs CPU a record`);
  }
}

/** CPU an element of a case beyond that of another one. */
function microsMore(results: readonly ModelResult[], name: string, without: string): number {
  const resultOf = (wanted: string) => results.find((result) => result.name === wanted)!;
  const [one, other] = [resultOf(name), resultOf(without)];
  return (one.cpuS / one.elements - other.cpuS / other.elements) * 1e6;
}

function measure(name: string, elements: number): ModelResult {
  const script = fileURLToPath(new URL("./model-case.js", import.meta.url));
  const args = ["--max-semi-space-size=32", script, name, String(elements)];
  const output = execFileSync(process.execPath, args, { encoding: "utf8" });
  return { name, ...JSON.parse(output) };
}
