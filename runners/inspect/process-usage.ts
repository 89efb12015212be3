/** What this process takes of the machine: CPU since it was measured last, memory now. */
export interface Usage {
  /** Of one core; more than 1 with several threads. */
  readonly cpuShare: number;
  readonly rssBytes: number;
}

export class ProcessUsage {
  #cpu = process.cpuUsage();
  #atMs = performance.now();
  #last: Usage = { cpuShare: 0, rssBytes: process.memoryUsage.rss() };

  get last(): Usage {
    return this.#last;
  }

  measure(): Usage {
    const [cpu, atMs] = [process.cpuUsage(), performance.now()];
    const usedMs = (cpu.user + cpu.system - this.#cpu.user - this.#cpu.system) / 1_000;
    const cpuShare = usedMs / Math.max(atMs - this.#atMs, 1);
    this.#cpu = cpu;
    this.#atMs = atMs;
    this.#last = { cpuShare: Math.round(cpuShare * 1_000) / 1_000, rssBytes: process.memoryUsage.rss() };
    return this.#last;
  }
}
