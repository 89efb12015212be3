/** The options of the generator: what is allowed, what stands when nothing is said. */
import { z } from "zod";
import { GeneratorError } from "./generator-error.js";

/** Records of one run; also what bounds the number of its files. */
export const eventsMax = 999_999_999;
const eventsPerSecondMax = 1_000_000;
const eventsPerSecondMin = 0.001;
const rowsPerFileMax = 10_000_000;
const seedMax = 2 ** 32 - 1;

/**
 * Validated options, keyed like the flags (`--events-per-second` is `eventsPerSecond`). Numbers may
 * come as text, from a flag or the environment. Parsing parsed options changes nothing.
 */
export const generatorOptionsSchema = z
  .strictObject({
    /** Records a second, on the clock and in event time. */
    eventsPerSecond: number(
      `must be a number from ${eventsPerSecondMin} to ${eventsPerSecondMax}`,
      (value) => value >= eventsPerSecondMin && value <= eventsPerSecondMax,
    ).default(10),
    /** Seconds; without it 60, or as long as `events` takes. */
    duration: number("must be a number of seconds above 0", (value) => value > 0).optional(),
    /** Records in total, of all kinds; with `duration` the smaller of both counts. */
    events: integer(1, eventsMax).optional(),
    /** Writes without waiting; event times still advance by `eventsPerSecond`. */
    asFastAsPossible: boolean().default(false),
    output: text("must be the path of a directory").default("data/raw"),
    rowsPerFile: integer(1, rowsPerFileMax).default(10_000),
    malformedRate: share().default(0.01),
    duplicateRate: share().default(0.02),
    /** Without it a random one, which is printed. */
    seed: integer(0, seedMax).optional(),
    /** Event time of the first record, to the millisecond; without it the present. */
    start: instant().optional(),
    manifest: text("must be a path that does not end in .csv or .csv.gz, or a pipeline would read it")
      .refine((path) => !/\.csv(\.gz)?$/i.test(path), {
        error: "must be a path that does not end in .csv or .csv.gz, or a pipeline would read it",
      })
      .optional(),
    /** Where `generator_metrics.log` goes. */
    logDir: text("must be the path of a directory").default("logs"),
  })
  .superRefine(({ malformedRate, duplicateRate }, context) => {
    // The tolerance lets 0.9 and 0.1 pass however they are rounded.
    if (malformedRate + duplicateRate <= 1 + 1e-9) return;
    const message = `and duplicateRate must together be at most 1, got ${malformedRate} and ${duplicateRate}`;
    context.addIssue({ code: "custom", path: ["malformedRate"], message, params: { saysValue: true } });
  });

/** What `generatorOptionsSchema` gives. */
export type GeneratorOptions = z.output<typeof generatorOptionsSchema>;

/**
 * Parses options from flags, a file or code.
 * @throws GeneratorError `invalid_options`, one line for each option with its rule and value
 */
export function parseGeneratorOptions(raw: unknown): GeneratorOptions {
  const result = generatorOptionsSchema.safeParse(raw);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => describe(issue, raw));
  throw new GeneratorError("invalid_options", lines.join("\n"), { cause: result.error });
}

function describe(issue: z.core.$ZodIssue, raw: unknown): string {
  if (issue.code === "unrecognized_keys")
    return `${issue.keys.join(", ")} must be an option of the generator`;
  if (issue.code === "custom" && issue.params?.["saysValue"])
    return `${issue.path.join(".")} ${issue.message}`;
  const value = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown>)?.[key], raw);
  return `${issue.path.join(".") || "options"} ${issue.message}, got ${JSON.stringify(value)}`;
}

/** One rule and one message for type and range, whatever is wrong. */
function number(rule: string, isAllowed: (value: number) => boolean) {
  return z.preprocess(
    (value) => (typeof value === "string" && value.trim() !== "" ? Number(value) : value),
    z.custom<number>((value) => typeof value === "number" && Number.isFinite(value) && isAllowed(value), {
      error: rule,
    }),
  );
}

function integer(min: number, max: number) {
  return number(
    `must be a whole number from ${min} to ${max}`,
    (value) => Number.isInteger(value) && value >= min && value <= max,
  );
}

function share() {
  return number("must be a number from 0 to 1", (value) => value >= 0 && value <= 1);
}

function text(rule: string) {
  return z.string({ error: rule }).min(1, { error: rule });
}

function boolean() {
  return z.preprocess(
    (value) => (value === "true" ? true : value === "false" ? false : value),
    z.boolean({ error: "must be true or false" }),
  );
}

/** ISO 8601 date or date and time; without an offset it means UTC. */
function instant() {
  const rule = {
    error: "must be a date and time in ISO 8601 from year 0001 on, such as 2025-01-01T00:00:00Z",
  };
  return z
    .union([z.iso.datetime({ offset: true, local: true }), z.iso.date()], rule)
    .transform((iso) => {
      const hasZone = /(Z|[+-]\d\d:?\d\d)$/.test(iso) && iso.includes("T");
      return Date.parse(hasZone ? iso : iso.includes("T") ? `${iso}Z` : `${iso}T00:00:00Z`);
    })
    .refine(
      (ms) => ms >= Date.parse("0001-01-01T00:00:00Z") && ms <= Date.parse("9999-12-31T23:59:59.999Z"),
      rule,
    )
    .transform((ms) => new Date(ms).toISOString());
}
