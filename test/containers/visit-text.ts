/** What `visit-fns.ts` imports: a file that has to travel with it. */

export function visitLine(n: number): string {
  return `visit ${n}`;
}
