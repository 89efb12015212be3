/** Addresses that only this machine reaches. */

export const LOOPBACK_NAMES = ["127.0.0.1", "localhost", "[::1]"] as const;

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
