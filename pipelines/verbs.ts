/** The verbs of the command line: what each takes, without loading any of them. */
import { settings } from "./config/settings.js";

export interface VerbDescription {
  readonly name: string;
  readonly summary: string;
  /** Paths of the settings that it shows as flags. */
  readonly settings: readonly string[];
  /** Arguments in commander's notation. */
  readonly arguments?: string;
}

/** Every verb takes these. */
const COMMON = ["json", "logLevel"];
const DATABASE = ["databaseUrl", "databaseUrlFile", "stateDir"];
const section = (name: string) => [...settings.keys()].filter((path) => path.startsWith(`${name}.`));
const ofPipeline = [...settings.keys()].filter((path) => !path.includes("."));
const GRAPH = ["pipeline", "input", "errorDir", "glob", "recursive", "delimiter", "once"];

export const verbs: readonly VerbDescription[] = [
  { name: "pipeline", summary: "run a pipeline", settings: ofPipeline },
  {
    name: "generate",
    summary: "write fake shop events as CSV files",
    settings: [...section("generate"), "logDir", ...COMMON],
  },
  { name: "status", summary: "show what pipelines have committed", settings: [...DATABASE, ...COMMON] },
  { name: "migrate", summary: "bring the database's schema up to date", settings: [...DATABASE, ...COMMON] },
  {
    name: "graph",
    summary: "print a pipeline's graph",
    settings: [...section("graph"), ...GRAPH, ...COMMON],
  },
  {
    name: "db",
    summary: "the embedded PostgreSQL: start, stop, url, sql",
    settings: [...DATABASE, ...COMMON],
    arguments: "<action> [statement]",
  },
  {
    name: "demo",
    summary: "generate events, run the pipeline on them, and show the result",
    settings: [...section("demo"), ...DATABASE, "input", "errorDir", "logDir", ...COMMON],
  },
];
