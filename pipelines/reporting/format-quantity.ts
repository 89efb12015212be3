/** Numbers as people read them: `12,345`, `12.4 MB`, `1.2 s`. */

/** `1234567` as `1,234,567`. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Decimal units, three digits at most: `999 B`, `12.4 MB`. */
export function formatBytes(bytes: number): string {
  let amount = bytes;
  let unit = 0;
  while (amount >= 999.5 && unit < BYTE_UNITS.length - 1) {
    amount /= 1_000;
    unit++;
  }
  return `${unit === 0 || amount >= 99.95 ? Math.round(amount) : amount.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

/** The two digits that matter: `84 ms`, `1.2 s`, `45 s`, `12 min`, `3 h`, `12 d`. */
export function formatDuration(ms: number): string {
  if (ms < 999.5) return `${Math.round(Math.max(ms, 0))} ms`;
  if (ms < 9_950) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 119_500) return `${Math.round(ms / 1_000)} s`;
  if (ms < 120 * 60_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 48 * 3_600_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}

/** ISO 8601 with milliseconds, UTC; a time that no Date can hold (Beam's end of time) as its number. */
export function formatInstant(ms: number): string {
  return Math.abs(ms) <= DATE_MS_MAX ? new Date(ms).toISOString() : String(ms);
}

const DATE_MS_MAX = 8_640_000_000_000_000;
const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB"];
