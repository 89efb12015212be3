/** How figures are written on the pages: short, with their unit, and of steady width where they change. */

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const unknown = "–";

/** `1,234,567`; what is not known is a dash. */
export function count(value: number | null | undefined): string {
  return known(value) ? whole.format(value) : unknown;
}

/** Three digits and a unit: `950`, `1.23 k`, `45.6 M`. */
export function short(value: number | null | undefined): string {
  if (!known(value)) return unknown;
  const size = Math.abs(value);
  if (size < 999.5)
    return size === 0 || size >= 100 || Number.isInteger(value) ? whole.format(value) : digits(value);
  const units = ["k", "M", "G", "T"];
  let scaled = value;
  let unit = -1;
  while (Math.abs(scaled) >= 999.5 && unit < units.length - 1) {
    scaled /= 1_000;
    unit++;
  }
  return `${digits(scaled)} ${units[unit]}`;
}

/** `1.23 k/s`. */
export function rate(value: number | null | undefined): string {
  return known(value) ? `${short(value)}/s` : unknown;
}

/** `532 B`, `1.46 KiB`, `2.00 GiB`. */
export function bytes(value: number | null | undefined): string {
  if (!known(value)) return unknown;
  if (Math.abs(value) < 1_024) return `${whole.format(value)} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let scaled = value;
  let unit = -1;
  while (Math.abs(scaled) >= 1_023.5 && unit < units.length - 1) {
    scaled /= 1_024;
    unit++;
  }
  return `${digits(scaled)} ${units[unit]}`;
}

/** `0.4 ms`, `350 ms`, `1.20 s`, `3 min 12 s`, `4 h 05 min`, `2 d 04 h`; never below its sign. */
export function duration(value: number | null | undefined): string {
  if (!known(value)) return unknown;
  if (value < 0) return `−${duration(-value)}`;
  if (value < 10 && !Number.isInteger(value)) return `${value.toFixed(1)} ms`;
  if (value < 999.5) return `${Math.round(value)} ms`;
  const seconds = value / 1_000;
  if (seconds < 59.95) return `${seconds < 10 ? seconds.toFixed(2) : seconds.toFixed(1)} s`;
  const total = Math.round(seconds);
  if (total < 3_600) return `${Math.floor(total / 60)} min ${two(total % 60)} s`;
  if (total < 86_400) return `${Math.floor(total / 3_600)} h ${two(Math.floor((total % 3_600) / 60))} min`;
  return `${Math.floor(total / 86_400)} d ${two(Math.floor((total % 86_400) / 3_600))} h`;
}

/** `87 %` of a share of 0 to 1. */
export function share(value: number | null | undefined): string {
  if (!known(value)) return unknown;
  const percent = value * 100;
  return percent > 0 && percent < 1 ? "<1 %" : `${Math.round(percent)} %`;
}

/** `14:03:59`, in the time of who looks. */
export function clock(ms: number | null | undefined): string {
  if (!known(ms)) return unknown;
  const date = new Date(ms);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `2026-11-28 14:03:59`, in the time of who looks. */
export function dateTime(ms: number | null | undefined): string {
  if (!known(ms)) return unknown;
  const date = new Date(ms);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(ms)}`;
}

/** `12.0 s ago`; what lies ahead by a clock's inaccuracy is now. */
export function ago(ms: number | null | undefined, nowMs: number): string {
  if (!known(ms)) return unknown;
  const passed = nowMs - ms;
  return passed < 1_000 ? "just now" : `${duration(passed)} ago`;
}

/** The last part of a path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** `add_to_cart` and `blockedShare` as people write them: `Add to cart`, `Blocked share`. */
export function words(name: string): string {
  const spaced = name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replaceAll(/[_-]+/g, " ")
    .toLowerCase();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

function known(value: number | null | undefined): value is number {
  return value !== null && value !== undefined && Number.isFinite(value);
}

function digits(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
