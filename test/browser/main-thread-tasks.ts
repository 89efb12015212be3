/** The tasks of a page's main thread in a trace of Chromium, by the time that they computed. */

/** What a trace must have for it. */
export const taskCategories = ["toplevel", "__metadata"] as const;

interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  /** CPU time in µs: what a busy machine does meanwhile is not in it. */
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

/** How long each task of the page's main thread computed. */
export function mainThreadTasksMs(trace: Buffer): number[] {
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: readonly TraceEvent[] };
  const threads = new Map<string, TraceEvent[]>();
  const mains = traceEvents.filter(
    ({ name, args }) => name === "thread_name" && args?.name === "CrRendererMain",
  );
  for (const { pid, tid } of mains) threads.set(`${pid} ${tid}`, []);
  for (const event of traceEvents) {
    if (event.name.endsWith("RunTask") && event.tdur !== undefined)
      threads.get(`${event.pid} ${event.tid}`)?.push(event);
  }
  // the page under test is the one that works; others are the browser's own
  const tasks = [...threads.values()].map((events) => events.map(({ tdur = 0 }) => tdur / 1_000));
  return tasks.sort((a, b) => sum(b) - sum(a))[0] ?? [];
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
