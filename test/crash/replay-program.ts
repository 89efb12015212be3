/** A program that writes the changes in a folder of CSV files into another database, epoch by epoch, to their end. */
import type { ConnectionConfig } from "../../sql/sql-session.js";
import { startChanges } from "../support/other-database.js";

export interface ReplayProgram {
  readonly directory: string;
  readonly connection: ConnectionConfig;
  readonly other: ConnectionConfig;
  readonly takeover?: boolean;
}

const { takeover = false, ...options } = JSON.parse(process.argv[2]!) as ReplayProgram;

const tell = (line: string) => void process.stderr.write(`${line}\n`);
const job = await startChanges({
  ...options,
  run: { takeover, log: { debug() {}, info() {}, warn: tell, error: tell } },
});
job.subscribe((event) => {
  if (event.type === "commit") process.stdout.write(`${event.commit.epoch}\n`);
});
process.on("exit", () => job.failure !== undefined && tell(String(job.failure.stack)));
process.exitCode = (await job.waitUntilFinish()) === "DONE" ? 0 : 1;
