/** Durations and sizes as people write them: `1500`, `10s`, `2m`; `65536`, `8MiB`. */

/** Milliseconds; a bare number is in `bareUnit`. Undefined when the text is no duration. */
export function parseDurationMs(raw: unknown, bareUnit: "ms" | "s" = "ms"): number | undefined {
  const amount = parseAmount(raw, DURATION_UNITS, DURATION_UNITS[bareUnit]!);
  return amount === undefined ? undefined : Math.round(amount);
}

/** Bytes; undefined when the text is no size. */
export function parseBytes(raw: unknown): number | undefined {
  const amount = parseAmount(raw, SIZE_UNITS, 1);
  return amount === undefined ? undefined : Math.round(amount);
}

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const SIZE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1_000,
  mb: 1_000_000,
  gb: 1_000_000_000,
  kib: 1_024,
  mib: 1_048_576,
  gib: 1_073_741_824,
};

function parseAmount(
  raw: unknown,
  units: Readonly<Record<string, number>>,
  bare: number,
): number | undefined {
  const text = typeof raw === "number" ? String(raw) : raw;
  if (typeof text !== "string") return undefined;
  const parts = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text);
  if (parts === null) return undefined;
  const unit = parts[2] === "" ? bare : units[parts[2]!.toLowerCase()];
  const amount = unit === undefined ? Number.NaN : Number(parts[1]) * unit;
  return Number.isFinite(amount) ? amount : undefined;
}
