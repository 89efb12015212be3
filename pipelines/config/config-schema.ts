/** The one schema of everything that can be configured, whichever way it was given. */
import { z } from "zod";
import type { JsonValue } from "../../transforms/primitives/fn-registry.js";
import { HORIZON_RECORDS_MAX } from "../../transforms/recent-values.js";
import { parseBytes, parseDurationMs } from "./parse-quantity.js";

/** All settings after merging, each parsed once; see settings.ts for what each one means. */
export type Config = z.infer<typeof configSchema>;

const text = value("a text that is not empty", (raw) =>
  typeof raw === "string" && raw !== "" ? raw : undefined,
);
const path = value("a path", (raw) => (typeof raw === "string" && raw.trim() !== "" ? raw : undefined));
const flag = value("true or false", parseFlag);
const durationMs = value('a duration in ms or like "10s"', (raw) => parseDurationMs(raw));
const timeoutMs = value('a duration in seconds or like "500ms"', (raw) => parseDurationMs(raw, "s"));
const intervalMs = value('a duration above 0 in seconds or like "10s"', (raw) =>
  positive(parseDurationMs(raw, "s")),
);
const seconds = value('a duration in seconds or like "2m"', (raw) => {
  const ms = positive(parseDurationMs(raw, "s"));
  return ms === undefined ? undefined : ms / 1_000;
});
const bytes = value('a size of at least one byte, like 65536 or "8MiB"', (raw) => positive(parseBytes(raw)));
const count = value("a whole number of at least 1", (raw) => positive(parseWhole(raw)));
const horizonRecords = value(`a whole number from 1 to ${HORIZON_RECORDS_MAX}`, (raw) =>
  within(parseWhole(raw), 1, HORIZON_RECORDS_MAX),
);
const port = value("a port from 0 to 65535", (raw) => within(parseWhole(raw), 0, 65_535));
const samples = value("a whole number from 0 to 100", (raw) => within(parseWhole(raw), 0, 100));
const seed = value("a whole number", parseWhole);
const share = value("a number from 0 to 1", (raw) => within(parseNumber(raw), 0, 1));
const rate = value("a number above 0", (raw) => positive(parseNumber(raw)));
const instant = value('a time like "2026-01-31T12:00:00Z"', parseInstant);
const delimiter = value('one character other than a quote or a newline ("\\t" for tab)', parseDelimiter);
const databaseUrl = value('a URL like "postgres://user@host:5432/database"', (raw) =>
  typeof raw === "string" && /^postgres(ql)?:\/\/|^\s*[a-z_]+\s*=/i.test(raw) ? raw : undefined,
);
const jobOptions = value("a JSON object of Beam's pipeline options", parseObject);

export const configSchema = z.strictObject({
  runner: text,
  pipeline: text,
  input: path,
  once: flag,
  interval: intervalMs.optional(),
  takeover: flag,
  databaseUrl: databaseUrl.optional(),
  databaseUrlFile: path.optional(),
  errorDir: path,
  stateDir: path,
  stateDurability: choice(["database", "local"]),
  stateMemory: bytes,
  logDir: path,
  quietMs: durationMs,
  outOfOrdernessMs: durationMs,
  idleMs: durationMs,
  allowedLatenessMs: durationMs,
  drain: flag,
  doneAfterMs: durationMs,
  whenDone: choice(["leave", "archive", "delete"]),
  archiveDir: path,
  newestFirst: flag,
  glob: value("a list of patterns like *.csv", parseList),
  recursive: flag,
  delimiter,
  horizonRecords,
  epochRecordsMax: count,
  epochBytesMax: bytes,
  retryTimeout: timeoutMs,
  drainTimeout: timeoutMs,
  jobEndpoint: text.optional(),
  environment: choice(["loopback", "external", "docker"]),
  workerEndpoint: text.optional(),
  parallelism: count,
  streaming: flag,
  flinkRest: text.optional(),
  savepointDir: path.optional(),
  fromSavepoint: path.optional(),
  jobOptions: jobOptions.optional(),
  monitorPort: port,
  monitorHost: text,
  monitorAllowedHosts: value("a list of names like ingest.example.org", parseList).optional(),
  monitorTlsCert: path.optional(),
  monitorTlsKey: path.optional(),
  monitorInsecure: flag,
  monitorSamples: samples,
  json: flag,
  logLevel: choice(["debug", "info", "warn", "error"]),
  status: z.strictObject({ watch: flag }),
  generate: z.strictObject({
    eventsPerSecond: rate,
    duration: seconds.optional(),
    events: count.optional(),
    asFastAsPossible: flag,
    output: path,
    rowsPerFile: count,
    malformedRate: share,
    duplicateRate: share,
    seed: seed.optional(),
    start: instant.optional(),
    manifest: path.optional(),
  }),
  graph: z.strictObject({ format: choice(["mermaid", "dot", "json"]) }),
  deadLetters: z.strictObject({
    reason: text.optional(),
    search: text.optional(),
    limit: count,
    before: instant.optional(),
    raw: flag,
    edit: path.optional(),
    wait: flag,
    yes: flag,
  }),
  savepoints: z.strictObject({ before: instant.optional(), yes: flag }),
  demo: z.strictObject({ duration: seconds, eventsPerSecond: rate }),
  jobServer: z.strictObject({
    port,
    heap: bytes,
    sparkMasterUrl: text.optional(),
    flinkMaster: text.optional(),
  }),
  worker: z.strictObject({ port, host: text, processes: count }),
});

/** A leaf of the schema: `rule` completes "must be …". */
function value<T>(rule: string, parse: (raw: unknown) => T | undefined) {
  return z.unknown().transform((raw, context): T => {
    const parsed = parse(raw);
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: "custom", message: rule });
    return z.NEVER;
  });
}

function choice<const Names extends readonly string[]>(names: Names) {
  const known = (raw: unknown): raw is Names[number] => names.includes(raw as string);
  const leaf = value(`one of ${names.join(", ")}`, (raw) => (known(raw) ? raw : undefined));
  return leaf;
}

function parseFlag(raw: unknown): boolean | undefined {
  if (typeof raw === "boolean") return raw;
  if (raw === "true" || raw === "1") return true;
  return raw === "false" || raw === "0" ? false : undefined;
}

function parseNumber(raw: unknown): number | undefined {
  if (typeof raw === "string" && !/^\s*-?\d+(\.\d+)?\s*$/.test(raw)) return undefined;
  const number = typeof raw === "string" || typeof raw === "number" ? Number(raw) : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
}

function parseWhole(raw: unknown): number | undefined {
  const number = parseNumber(raw);
  return Number.isSafeInteger(number) ? number : undefined;
}

function positive(number: number | undefined): number | undefined {
  return number !== undefined && number > 0 ? number : undefined;
}

function within(number: number | undefined, least: number, most: number): number | undefined {
  return number !== undefined && number >= least && number <= most ? number : undefined;
}

/** ISO 8601 in UTC; without an offset it is UTC. */
function parseInstant(raw: unknown): string | undefined {
  if (
    typeof raw !== "string" ||
    !/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?(Z|[+-]\d\d:\d\d)?$/.test(raw)
  ) {
    return undefined;
  }
  const bare = raw.replace(" ", "T");
  const ms = Date.parse(/T/.test(bare) && !/(Z|[+-]\d\d:\d\d)$/.test(bare) ? `${bare}Z` : bare);
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString();
}

function parseDelimiter(raw: unknown): string | undefined {
  const character = raw === "\\t" || raw === "tab" ? "\t" : raw;
  if (typeof character !== "string" || Buffer.byteLength(character) !== 1) return undefined;
  return /["\r\n]/.test(character) ? undefined : character;
}

function parseObject(raw: unknown): Readonly<Record<string, JsonValue>> | undefined {
  let object = raw;
  try {
    if (typeof raw === "string") object = JSON.parse(raw);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  const isObject = typeof object === "object" && object !== null && !Array.isArray(object);
  return isObject ? (object as Record<string, JsonValue>) : undefined;
}

function parseList(raw: unknown): readonly string[] | undefined {
  // a comma between braces belongs to the pattern: *.{csv,txt}
  const list = typeof raw === "string" ? raw.split(/,(?![^{]*\})/) : raw;
  if (!Array.isArray(list) || list.length === 0) return undefined;
  const entries = list.map((entry) => (typeof entry === "string" ? entry.trim() : ""));
  return entries.includes("") ? undefined : entries;
}
