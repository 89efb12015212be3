/** A command of its own process: opens the embedded PostgreSQL, says so, and leaves when its input ends. */
import { type EmbeddedPostgresOptions, openEmbeddedPostgres } from "../../sql/embedded/embedded-postgres.js";

/** What the test gives as JSON in the first argument. */
export interface HolderOptions
  extends Pick<EmbeddedPostgresOptions, "stateDir" | "verb" | "programs" | "reachableDirs"> {
  /** Become this account once the modules are loaded: it may be unable to read them. */
  readonly uid?: number;
}

/** What it prints, a line each. */
export type HolderLine =
  | { readonly event: "log"; readonly message: string }
  | { readonly event: "open"; readonly url: string; readonly dataDir: string }
  | { readonly event: "error"; readonly code: string; readonly message: string }
  | { readonly event: "closed" };

function print(line: HolderLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const { uid, ...options } = JSON.parse(process.argv[2] ?? "{}") as HolderOptions;
if (uid !== undefined) {
  process.setgroups?.([]);
  process.setgid?.(uid);
  process.setuid?.(uid);
}
try {
  const database = await openEmbeddedPostgres({
    ...options,
    log: (message) => print({ event: "log", message }),
  });
  print({ event: "open", url: database.url, dataDir: database.dataDir });
  process.stdin.resume().once("end", () => {
    void database.close().then(() => print({ event: "closed" }));
  });
} catch (error) {
  const { code, message } = error as { code: string; message: string };
  print({ event: "error", code, message });
  process.exitCode = 1;
}
