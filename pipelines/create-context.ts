/** From what was typed to the surroundings in which a verb runs. */
import { holdsPassword } from "../sql/connection-config.js";
import type { ParsedCommand } from "./command-line.js";
import { loadConfig } from "./config.js";
import { openDatabase } from "./open-database.js";
import { createLog } from "./reporting/create-log.js";
import { LiveLine } from "./reporting/live-reporter.js";
import { watchStopSignals } from "./stop-signals.js";
import type { Parts, TextOutput, VerbContext } from "./verb.js";

/** The process, or what a test puts in its place. */
export interface CommandHost {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: TextOutput;
  readonly stderr: TextOutput;
  on(signal: "SIGINT" | "SIGTERM", listener: () => void): unknown;
  exit(code: number): void;
  /** What `ps` shows instead of the arguments, once set. */
  title: string;
}

/** @throws UsageError for whatever is wrong in the configuration */
export async function createContext(
  command: ParsedCommand,
  parts: Parts,
  host: CommandHost,
): Promise<VerbContext> {
  const { verb, args } = command;
  const { env, stdout, stderr } = host;
  hidePassword(command, host);
  const loaded = await loadConfig({ flags: command.flags, env, file: command.configFile });
  const { config } = loaded;
  const isLive = stdout.isTTY === true && !config.json && env["TERM"] !== "dumb";
  const liveLine = isLive ? new LiveLine(stdout) : undefined;
  const log = await createLog({
    level: config.logLevel,
    style: config.json ? "json" : stderr.isTTY ? "terminal" : "plain",
    now: () => new Date(parts.clock.now()),
    write: (text) =>
      liveLine === undefined ? stderr.write(text) : liveLine.printAbove(() => stderr.write(text)),
  });
  const stop = watchStopSignals({
    emitter: host,
    clock: parts.clock,
    stopAtOnce: (signal, exitCode) => {
      liveLine?.show("");
      log.warn(`${signal} again: stopping at once; what was not committed is done again by the next run`);
      host.exit(exitCode);
    },
  });
  return {
    ...{ verb, args, loaded, env, stdout, stderr, liveLine, log, clock: parts.clock, stop, parts },
    openDatabase: ({ embedded } = { embedded: false }) =>
      openDatabase({
        loaded,
        env,
        verb,
        log,
        signal: stop.requested,
        embedded,
        loadEmbedded: parts.loadEmbedded,
      }),
  };
}

/** A flag's password stays in the process list for as long as we run, unless it is written over. */
function hidePassword({ verb, flags }: ParsedCommand, host: CommandHost): void {
  const url = flags.get("databaseUrl");
  if (typeof url === "string" && holdsPassword(url)) host.title = `millrace ${verb}`;
}
