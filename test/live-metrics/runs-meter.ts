/** What the processes of a test have taken: time, CPU of those that ended or were killed, the largest resident set. */
import { readFileSync } from "node:fs";
import { peakRss } from "../bench/process-meter.js";

const TICKS_PER_SECOND = 100;
const SAMPLE_MS = 100;

export class RunsMeter {
  readonly #startMs = performance.now();
  readonly #cpuS = childrenCpuS();
  #peakRssMb = 0;

  /** Looks at a process until it is gone. */
  follow(pid: number): void {
    const timer = setInterval(() => {
      const rssMb = peakRss(pid);
      if (rssMb === 0) clearInterval(timer);
      this.#peakRssMb = Math.max(this.#peakRssMb, rssMb);
    }, SAMPLE_MS);
    timer.unref();
  }

  /** As of the end of the last process. */
  report(events: number): string {
    const wallS = (performance.now() - this.#startMs) / 1000;
    const cpuS = childrenCpuS() - this.#cpuS;
    const perMillion = (cpuS * 1_000_000) / events;
    return (
      `${wallS.toFixed(0)} s, ${cpuS.toFixed(0)} CPU s (${perMillion.toFixed(0)} per million events), ` +
      `peak ${this.#peakRssMb.toFixed(0)} MB`
    );
  }
}

/** Of all children that have ended, killed ones too. */
function childrenCpuS(): number {
  const stat = readFileSync("/proc/self/stat", "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
}
