/** Drawing in small portions, one a frame, so that many charts and tables never hold the page up. */

/** Canvases that begin in this time of a frame share it: a frame has its own cost, with every chart that is seen. */
const portionMs = 2;

/** What is laid out anew after a job takes time that nobody can measure here, so such a job ends its frame. */
interface Job {
  readonly changes: "document" | "canvas";
  readonly draw: () => void;
}

const waiting = new Map<object, Job>();
let isUnderWay = false;

/** Draws in one of the next frames; a later job of the same owner takes its place. */
export function inTurn(owner: object, changes: Job["changes"], draw: () => void): void {
  waiting.set(owner, { changes, draw });
  if (isUnderWay) return;
  isUnderWay = true;
  requestAnimationFrame(drawPortion);
}

export function forget(owner: object): void {
  waiting.delete(owner);
}

function drawPortion(): void {
  drawNext(performance.now() + portionMs);
}

function drawNext(endsAtMs: number): void {
  const next = waiting.entries().next().value;
  if (next === undefined) {
    isUnderWay = false;
    return;
  }
  if (performance.now() >= endsAtMs) {
    requestAnimationFrame(drawPortion);
    return;
  }
  const [owner, { changes, draw }] = next;
  waiting.delete(owner);
  try {
    draw();
  } finally {
    // components are rendered and plots drawn in microtasks of their own, which come before this one
    queueMicrotask(() => drawNext(changes === "document" ? 0 : endsAtMs));
  }
}
