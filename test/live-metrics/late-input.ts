/** Events of the shop in files as they arrive: most in order, some behind, a few very late, repeats and bad ones among them. */
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Choice } from "../support/seeded-choice.js";

const HEADER = "event_id,user_id,event_type,product_id,price,event_timestamp";
const START_MS = Date.parse("2026-01-31T12:00:00Z");
const TYPES = ["view", "view", "view", "add_to_cart", "add_to_cart", "purchase"] as const;

export interface LateInput {
  readonly events: number;
  readonly rowsPerFile: number;
  /** Event time from one event to the next, on average. */
  readonly stepMs: number;
  readonly users: number;
  /** 5 % arrive up to this late. */
  readonly disorderMs: number;
  /** 1 % arrive this late at the least and twice that at the most. */
  readonly lateMs: number;
}

/** Writes the files below `directory`, in the order of their names and times, the same for the same choice. */
export async function writeLateInput(directory: string, input: LateInput, choice: Choice): Promise<void> {
  await mkdir(directory, { recursive: true });
  const arrivals = arrivalsOf(input, choice);
  let file = 0;
  for (let from = 0; from < arrivals.length; from += input.rowsPerFile) {
    const lines = arrivals.slice(from, from + input.rowsPerFile);
    const path = join(directory, `events-${String(file).padStart(5, "0")}.csv`);
    await writeFile(path, `${[HEADER, ...lines].join("\n")}\n`);
    await utimes(path, 1_700_000_000 + file, 1_700_000_000 + file);
    file += 1;
  }
}

function arrivalsOf(input: LateInput, choice: Choice): string[] {
  const arrivals: { readonly atMs: number; readonly line: string }[] = [];
  let timeMs = START_MS;
  for (let at = 0; at < input.events; at++) {
    timeMs += choice.between(0, 2 * input.stepMs);
    const line = lineOf(`e${at}`, timeMs, input, choice);
    const dice = choice.between(0, 9_999);
    const lateMs =
      dice < 100
        ? choice.between(input.lateMs, 2 * input.lateMs)
        : dice < 600
          ? choice.between(1, input.disorderMs)
          : 0;
    arrivals.push({ atMs: timeMs + lateMs, line });
    // repeats come soon after, some with another price; some records are no events
    if (dice >= 9_800) arrivals.push({ atMs: timeMs + lateMs + choice.between(0, input.disorderMs), line });
    if (dice >= 9_700 && dice < 9_750)
      arrivals.push({ atMs: timeMs + lateMs + 1, line: line.replace(/,\d+\.\d\d,/, ",77.77,") });
    if (dice >= 9_650 && dice < 9_700)
      arrivals.push({ atMs: timeMs, line: line.replace(/,\d+\.\d\d,/, ",free,") });
  }
  return arrivals.sort((a, b) => a.atMs - b.atMs).map(({ line }) => line);
}

function lineOf(id: string, timeMs: number, { users }: LateInput, choice: Choice): string {
  const user = `u${choice.between(1, users)}`;
  const type = TYPES[choice.between(0, TYPES.length - 1)];
  const price = `${choice.between(1, 99)}.${String(choice.between(0, 99)).padStart(2, "0")}`;
  return `${id},${user},${type},p${choice.between(1, 40)},${price},${new Date(timeMs).toISOString()}`;
}
