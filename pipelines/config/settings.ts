/** What can be set, and how it is called in millrace.yaml, in the environment and as a flag. */

/** One setting; its rule is in config-schema.ts, which is not loaded for `--help`. */
export interface Setting {
  /** Where it stands in millrace.yaml, e.g. `quietMs` or `generate.duration`. */
  readonly path: string;
  /** Without section: a verb shows its own section's flags under their bare names. */
  readonly flag: string;
  /** The flag's value in the help; null for a switch. */
  readonly value: string | null;
  /** As it could stand in millrace.yaml; undefined when there is no default. */
  readonly default: unknown;
  /** The variable that sets it, e.g. `MILLRACE_QUIET_MS`. */
  readonly variable: string;
  readonly help: string;
  /** Never shown, not even in the message that refuses it. */
  readonly isSecret: boolean;
  /** A value that would do, for the message that refuses one; undefined where the rule says enough. */
  readonly example: string | undefined;
}

type Row = readonly [path: string, value: string | null, initial: unknown, help: string, example?: string];

const rows: readonly Row[] = [
  ["runner", "NAME", "direct", "what runs the graph"],
  ["pipeline", "NAME", "user-events", "which pipeline"],
  ["input", "DIR", "data/raw", "watched directory"],
  ["once", null, false, "process what is there now, then end"],
  ["drain", null, false, "with --once: close all windows behind what is there; nothing can come any more"],
  ["interval", "SECONDS", undefined, "a job on a job server for what is new, so often", '"10s"'],
  ["takeover", null, false, "terminate whoever holds the pipeline"],
  ["databaseUrl", "URL", undefined, "PostgreSQL; without any, an embedded one is started"],
  ["databaseUrlFile", "FILE", undefined, "file that holds the URL: keeps a password off the command line"],
  ["errorDir", "DIR", "data/error", "where dead letters are written as NDJSON"],
  ["stateDir", "DIR", ".millrace", "local state and the embedded PostgreSQL"],
  [
    "stateDurability",
    "WHERE",
    "database",
    "where committed state of windows, keys and timers is: database, or local: this machine alone",
  ],
  [
    "stateMemory",
    "BYTES",
    "64MiB",
    "what keys with state take in memory, about; the others are on disk",
    '"64MiB"',
  ],
  ["logDir", "DIR", "logs", "where metrics logs are written"],
  [
    "quietMs",
    "MS",
    1_000,
    "a last record without newline is complete after this long without growth",
    '1000 or "1s"',
  ],
  [
    "doneAfterMs",
    "MS",
    10_000,
    "a file read to its end is done after this long without growth",
    '10000 or "10s"',
  ],
  ["whenDone", "WHAT", "leave", "what becomes of a done file: leave, archive, delete"],
  ["archiveDir", "DIR", "data/processed/raw", "where done files go under --when-done=archive"],
  ["newestFirst", null, false, "read the newest file first"],
  ["glob", "LIST", "*.csv,*.csv.gz", "which files to read, separated by commas", "*.csv,*.csv.gz"],
  ["recursive", null, false, "look into subdirectories"],
  ["delimiter", "CHAR", ",", "what separates the fields of a record", '";"'],
  [
    "horizonRecords",
    "N",
    65_536,
    "ids kept in the cache in front of the table's unique key, 4194304 at most",
    "65536",
  ],
  [
    "outOfOrdernessMs",
    "MS",
    60_000,
    "how far the watermark stays behind the latest event of what is read",
    '60000 or "1m"',
  ],
  [
    "idleMs",
    "MS",
    60_000,
    "after so long without input the watermark goes on with the clock",
    '60000 or "1m"',
  ],
  [
    "allowedLatenessMs",
    "MS",
    600_000,
    "how late an event may be to count in live-metrics",
    '600000 or "10m"',
  ],
  ["epochRecordsMax", "N", 20_000, "records in one commit, at most", "20000"],
  ["epochBytesMax", "BYTES", "8MiB", "input bytes in one commit, at most", '"8MiB"'],
  ["retryTimeout", "SECONDS", "60s", "how long --once waits for a database that is away", '"60s"'],
  ["drainTimeout", "SECONDS", "30s", "how long a stop may take before it is forced", '"30s"'],
  ["jobEndpoint", "ADDRESS", undefined, "job server to submit to; default: one is started", "localhost:8099"],
  ["environment", "WHERE", "loopback", "where workers of a job server run: loopback, external, docker"],
  ["workerEndpoint", "ADDRESS", undefined, "worker pool of --environment=external", "localhost:50000"],
  ["parallelism", "N", 2, "how many tasks of a job server work at a time", "4"],
  ["streaming", null, false, "run as a streaming job, also what --once bounds (Flink)"],
  [
    "flinkRest",
    "ADDRESS",
    undefined,
    "REST API of the Flink cluster behind --job-endpoint",
    "localhost:8081",
  ],
  ["savepointDir", "DIR", undefined, "where a drained stream leaves a savepoint (a cluster of Flink)"],
  ["fromSavepoint", "DIR", undefined, "savepoint from which a stream of the same graph goes on (Flink)"],
  [
    "jobOptions",
    "JSON",
    undefined,
    "more of Beam's pipeline options, as JSON",
    '{"checkpointing_interval": 1000}',
  ],
  ["monitorPort", "N", 4_040, "where the page of a run is; a taken one: the next free; 0: no page", "4040"],
  ["monitorHost", "HOST", "127.0.0.1", "address of the page; another than loopback needs TLS"],
  [
    "monitorAllowedHosts",
    "LIST",
    undefined,
    "more names under which the page is reached",
    "ingest.example.org",
  ],
  ["monitorTlsCert", "FILE", undefined, "certificate of the page, PEM"],
  ["monitorTlsKey", "FILE", undefined, "its key, PEM"],
  ["monitorInsecure", null, false, "another address than loopback without TLS"],
  ["monitorSamples", "N", 0, "last elements of each step kept for the page; 0: none", "10"],
  ["json", null, false, "JSON on stdout, for programs"],
  ["logLevel", "LEVEL", "info", "debug, info, warn, error"],
  ["status.watch", null, false, "show it again every second, until stopped"],
  ["generate.eventsPerSecond", "N", 10, "rate of events", "10"],
  [
    "generate.duration",
    "SECONDS",
    undefined,
    "how long to generate; default 60, or as long as --events takes",
    '60 or "1m"',
  ],
  ["generate.events", "N", undefined, "how many events, instead of a duration"],
  ["generate.asFastAsPossible", null, false, "do not wait between events"],
  ["generate.output", "DIR", "data/raw", "where files appear"],
  ["generate.rowsPerFile", "N", 10_000, "rows in one file, at most", "10000"],
  ["generate.malformedRate", "SHARE", 0.01, "share of malformed records", "0.01"],
  ["generate.duplicateRate", "SHARE", 0.02, "share of repeated events", "0.02"],
  ["generate.seed", "N", undefined, "same seed and start, same bytes"],
  ["generate.start", "ISO", undefined, "event time of the first event; default: now", "2026-01-31T12:00:00Z"],
  ["generate.manifest", "PATH", undefined, "write what was generated to this file"],
  ["graph.format", "FORMAT", "mermaid", "mermaid, dot, json (the Beam proto)"],
  ["deadLetters.reason", "REASON", undefined, "only letters of this reason"],
  ["deadLetters.search", "TEXT", undefined, "list: with this in the file's name, a message or the record"],
  ["deadLetters.limit", "N", 50, "list: how many, newest first", "50"],
  ["deadLetters.before", "ISO", undefined, "purge: letters that came before", "2026-01-31T12:00:00Z"],
  ["deadLetters.raw", null, false, "show: the record's bytes alone, as they are"],
  ["deadLetters.edit", "FILE", undefined, "retry: the record as edited; - for standard input"],
  ["deadLetters.wait", null, false, "retry: wait for what comes of it"],
  ["deadLetters.yes", null, false, "purge: delete; counts only when typed"],
  ["savepoints.before", "ISO", undefined, "restore: the last one from before this", "2026-01-31T12:00:00Z"],
  ["savepoints.yes", null, false, "restore: do it; counts only when typed"],
  ["demo.duration", "SECONDS", 60, "how long to generate events", '60 or "1m"'],
  ["demo.eventsPerSecond", "N", 10, "rate of events", "10"],
  ["jobServer.port", "N", 8_099, "where pipelines are submitted; 0 for any free port", "8099"],
  ["jobServer.heap", "SIZE", "2GiB", "memory for the objects of its JVM (Spark, Flink)", '"4GiB"'],
  [
    "jobServer.sparkMasterUrl",
    "URL",
    undefined,
    "cluster that runs the jobs; default: the job server itself",
    "spark://host:7077",
  ],
  [
    "jobServer.flinkMaster",
    "ADDRESS",
    undefined,
    "cluster that runs the jobs; default: the job server itself",
    "host:8081",
  ],
  ["worker.port", "N", 50_000, "where job servers ask for workers; 0 for any free port", "50000"],
  ["worker.host", "HOST", "127.0.0.1", "address to listen on; whoever reaches it can run code here"],
  ["worker.processes", "N", 1, "workers at a time, at most: a job's sdk_worker_parallelism", "4"],
];

/** Every setting by its path. */
export const settings: ReadonlyMap<string, Setting> = new Map(rows.map((row) => [row[0], toSetting(row)]));

function toSetting([path, value, initial, help, example]: Row): Setting {
  return {
    path,
    flag: `--${kebab(path.slice(path.lastIndexOf(".") + 1))}`,
    value,
    default: initial,
    variable: `MILLRACE_${kebab(path.replace(".", "-")).replaceAll("-", "_").toUpperCase()}`,
    help,
    isSecret: path === "databaseUrl",
    example,
  };
}

function kebab(camel: string): string {
  return camel.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
