/** Drawing in small portions, one a frame, so that many charts and tables never hold the page up. */

const waiting = new Map<object, () => void>();
let frame: number | null = null;

/** Runs the job in one of the next frames; a later job of the same owner takes its place. */
export function inTurn(owner: object, job: () => void): void {
  waiting.set(owner, job);
  if (frame === null) frame = requestAnimationFrame(drawNext);
}

export function forget(owner: object): void {
  waiting.delete(owner);
}

/** One a frame: what a job changes is laid out and painted after it, in time that it cannot measure. */
function drawNext(): void {
  frame = null;
  const next = waiting.entries().next().value;
  if (next === undefined) return;
  const [owner, job] = next;
  waiting.delete(owner);
  if (waiting.size > 0) frame = requestAnimationFrame(drawNext);
  job();
}
