/** Verbs that need no more than their options: from a command's context to what each takes. */
import { GeneratorError } from "../data/generate/generator-error.js";
import type { GraphFormat } from "../runners/graph/render.js";
import { dbActions, runDb } from "./commands/db.js";
import { parseGeneratorOptions, runGenerate } from "./commands/generate.js";
import { runGraph } from "./commands/graph.js";
import { runMigrate } from "./commands/migrate.js";
import { runStatus, watchStatus } from "./commands/status.js";
import { rankOf } from "./config/config-layer.js";
import type { LoadedConfig } from "./config.js";
import { refuseName } from "./registry.js";
import { UsageError } from "./usage-error.js";
import type { RunVerb, VerbContext } from "./verb.js";

export const generate: RunVerb = async ({ loaded, stdout, stderr, stop, clock }) => {
  const { generate, logDir } = loaded.config;
  try {
    const options = parseGeneratorOptions({ ...generate, logDir });
    return await runGenerate(options, { stdout, stderr, signal: stop.requested, clock });
  } catch (error) {
    if (error instanceof GeneratorError && error.code === "invalid_options")
      throw new UsageError([error.message]);
    throw error;
  }
};

export const status: RunVerb = (context) =>
  withDatabase(context, ({ connection }) => {
    const { json, status } = context.loaded.config;
    const { clock, stop, stdout } = context;
    const options = { connection, json };
    if (!status.watch) return runStatus(options, printer(context));
    return watchStatus(options, printer(context), {
      ...{ clock, signal: stop.requested, isTerminal: stdout.isTTY === true },
    });
  });

export const migrate: RunVerb = (context) =>
  withDatabase(context, ({ connection }) =>
    runMigrate({ connection, json: context.loaded.config.json }, printer(context)),
  );

export const graph: RunVerb = async ({ loaded, stdout, parts }) => {
  const { config, origins } = loaded;
  const from = origins.get("pipeline")?.name ?? "default";
  const problem = refuseName("pipeline", config.pipeline, parts.pipelines, from);
  if (problem !== undefined) throw new UsageError([problem]);
  const build = await parts.pipelines[config.pipeline]!();
  const pipeline = await build(config);
  runGraph(pipeline.graph, config.runner, graphFormat(loaded), { stdout });
  return 0;
};

/** `--json` is a format as well: the higher layer is heard, in one layer the format, of two flags neither. */
function graphFormat({ config, origins }: LoadedConfig): GraphFormat {
  const { format } = config.graph;
  const [json, named] = [origins.get("json")!, origins.get("graph.format")!];
  if (!config.json || format === "json") return format;
  if (json.layer === "flag" && named.layer === "flag")
    throw new UsageError([`${json.name} asks for json, ${named.name} for ${format}. Keep one.`]);
  return rankOf(json) > rankOf(named) ? "json" : format;
}

export const db: RunVerb = async ({ args, loaded }) => {
  const [action, ...rest] = args;
  const known = dbActions.find((name) => name === action);
  if (known === undefined) {
    throw new UsageError([
      `db must be followed by one of ${dbActions.join(", ")}, got ${JSON.stringify(action)}`,
    ]);
  }
  if (known !== "sql" && rest.length > 0) {
    throw new UsageError([`db ${known} takes no statement, got ${JSON.stringify(rest.join(" "))}`]);
  }
  const { stateDir } = loaded.config;
  await runDb(known, rest, { stateDir, stdout: process.stdout, stderr: process.stderr });
  return 0;
};

async function withDatabase(
  context: VerbContext,
  use: (database: Awaited<ReturnType<VerbContext["openDatabase"]>>) => Promise<void>,
): Promise<number> {
  const database = await context.openDatabase();
  try {
    await use(database);
    return 0;
  } finally {
    await database.close();
  }
}

function printer({ stdout }: VerbContext): { print(line: string): void } {
  return { print: (line) => void stdout.write(`${line}\n`) };
}
