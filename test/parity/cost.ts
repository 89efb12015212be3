/** What a record costs on a runner: CPU of the command, all that it started, and PostgreSQL. */

export interface Cost {
  readonly records: number;
  readonly cpuS: number;
  readonly postgresCpuS: number;
}

/** CPU seconds a million records. @throws when there were none */
export function perMillion({ records, cpuS, postgresCpuS }: Cost): number {
  if (!(records > 0)) throw new Error(`a cost is of at least one record, got ${records}`);
  return ((cpuS + postgresCpuS) / records) * 1e6;
}

/** The same of the records beyond those of a run on hardly any, which tells what a run costs at all. */
export function perMillionBeyond(start: Cost, run: Cost): number {
  return perMillion({
    records: run.records - start.records,
    cpuS: run.cpuS - start.cpuS,
    postgresCpuS: run.postgresCpuS - start.postgresCpuS,
  });
}
