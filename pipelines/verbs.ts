/** The verbs of the command line: what each takes, without loading any of them. */
import { settings } from "./config/settings.js";

export interface VerbDescription {
  readonly name: string;
  readonly summary: string;
  /** Paths of the settings that it takes as flags: those that it honours, no other. */
  readonly settings: readonly string[];
  /** Arguments in commander's notation. */
  readonly arguments?: string;
}

/** Of the verbs whose answer is JSON as well; every verb takes `logLevel`. */
const ANSWER = ["json", "logLevel"];
const DATABASE = ["databaseUrl", "databaseUrlFile", "stateDir"];
const section = (name: string) => [...settings.keys()].filter((path) => path.startsWith(`${name}.`));
const ofPipeline = [...settings.keys()].filter((path) => !path.includes("."));
const GRAPH = [
  "runner",
  "pipeline",
  "input",
  "errorDir",
  "glob",
  "recursive",
  "delimiter",
  "once",
  "interval",
];

export const verbs: readonly VerbDescription[] = [
  {
    name: "pipeline",
    summary: "run a pipeline; or attach, drain, cancel, pause, resume one that runs",
    settings: ofPipeline,
    arguments: "[action]",
  },
  {
    name: "generate",
    summary: "write fake shop events as CSV files",
    settings: [...section("generate"), "logDir", "logLevel"],
  },
  {
    name: "status",
    summary: "show what pipelines have committed",
    settings: [...section("status"), ...DATABASE, ...ANSWER],
  },
  {
    name: "dead-letters",
    summary: "list, show, retry, export or purge what could not become a row",
    settings: [...section("deadLetters"), "pipeline", "delimiter", ...DATABASE, ...ANSWER],
    arguments: "<action> [id]",
  },
  {
    name: "savepoints",
    summary: "take, list, check, restore or delete a pipeline's savepoints",
    settings: [
      ...section("savepoints"),
      ...["takeover", "pipeline", "input", "errorDir", "glob", "recursive", "delimiter"],
      ...[...DATABASE, ...ANSWER],
    ],
    arguments: "<action> [name]",
  },
  { name: "migrate", summary: "bring the database's schema up to date", settings: [...DATABASE, ...ANSWER] },
  {
    name: "graph",
    summary: "print a pipeline's graph",
    settings: [...section("graph"), ...GRAPH, ...ANSWER],
  },
  {
    name: "db",
    summary: "the embedded PostgreSQL: start, stop, url, sql",
    settings: ["stateDir", "logLevel"],
    arguments: "<action> [statement]",
  },
  {
    name: "demo",
    summary: "generate events, run the pipeline on them, and show the result",
    settings: [
      ...section("demo"),
      ...["stateDir", "input", "errorDir", "logDir", "logLevel"],
      ...ofPipeline.filter((path) => path.startsWith("monitor")),
    ],
  },
  {
    name: "job-server",
    summary: "a Beam job server of this machine: spark, flink, prism",
    settings: [...section("jobServer"), "logLevel"],
    arguments: "<server>",
  },
  {
    name: "worker",
    summary: "a pool of workers for pipelines on job servers",
    settings: [...section("worker"), "databaseUrl", "databaseUrlFile", "logLevel"],
  },
];
