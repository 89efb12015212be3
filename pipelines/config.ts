/** The configuration of a command: defaults, then millrace.yaml, then the environment, then flags. */

import { isLoopback } from "../runners/monitor/loopback.js";
import { didYouMean } from "../runners/nearest-name.js";
import { redact, rememberSecret } from "../sql/redact.js";
import {
  defaultsLayer,
  environmentLayer,
  flagsLayer,
  type Layer,
  type Origin,
  type RawValue,
  rankOf,
} from "./config/config-layer.js";
import { type Config, configSchema } from "./config/config-schema.js";
import { CONFIG_FILE, readConfigFile } from "./config/read-config-file.js";
import { settings } from "./config/settings.js";
import { UsageError } from "./usage-error.js";

export type { Origin } from "./config/config-layer.js";
export type { Config } from "./config/config-schema.js";

/** Settings and where each came from, by path. A path without a value has no origin. */
export interface LoadedConfig {
  readonly config: Config;
  readonly origins: ReadonlyMap<string, Origin>;
}

export interface ConfigSources {
  /** What flags said, by path. */
  readonly flags: ReadonlyMap<string, unknown>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The file named by `--config`; else `MILLRACE_CONFIG`, else `millrace.yaml` if there is one. */
  readonly file?: string | undefined;
}

/** @throws UsageError with one line for everything that is wrong, in whichever layer. */
export async function loadConfig(sources: ConfigSources): Promise<LoadedConfig> {
  const named = sources.file ?? (sources.env["MILLRACE_CONFIG"] || undefined);
  const file = await readConfigFile(named);
  return mergeConfig([defaultsLayer(), file, environmentLayer(sources.env), flagsLayer(sources.flags)]);
}

/** Merges layers, the last one first in rank, and parses the result. @throws UsageError */
export function mergeConfig(layers: readonly Layer[]): LoadedConfig {
  const merged = new Map<string, RawValue>();
  for (const layer of layers) {
    for (const [path, entry] of layer) merged.set(path, entry);
  }
  const clashes = settleDatabase(merged);
  const parsed = configSchema.safeParse(nest(merged));
  if (!parsed.success || clashes.length > 0) {
    const issues = parsed.success ? [] : parsed.error.issues;
    throw new UsageError([...issues.flatMap((issue) => describeIssue(issue, merged)), ...clashes]);
  }
  rejectContradictions(parsed.data, merged);
  return { config: parsed.data, origins: new Map([...merged].map(([path, { origin }]) => [path, origin])) };
}

/** URL and URL file say the same thing: the higher layer wins, one layer must not say both. */
function settleDatabase(merged: Map<string, RawValue>): string[] {
  const url = merged.get("databaseUrl");
  const file = merged.get("databaseUrlFile");
  if (url === undefined || file === undefined) return [];
  const [rankOfUrl, rankOfFile] = [rankOf(url.origin), rankOf(file.origin)];
  if (rankOfUrl === rankOfFile)
    return [`${url.origin.name} and ${file.origin.name} name two databases. Keep one.`];
  merged.delete(rankOfUrl > rankOfFile ? "databaseUrlFile" : "databaseUrl");
  return [];
}

/** Paths as nested objects, the way they stand in millrace.yaml; sections are always there. */
function nest(merged: ReadonlyMap<string, RawValue>): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const section of SECTIONS) root[section] = {};
  for (const [path, { value }] of merged) {
    const dot = path.indexOf(".");
    const section = root[path.slice(0, Math.max(dot, 0))];
    if (dot > 0 && typeof section === "object")
      (section as Record<string, unknown>)[path.slice(dot + 1)] = value;
    else root[path] = value;
  }
  return root;
}

const SECTIONS = new Set(
  [...settings.keys()].filter((path) => path.includes(".")).map((path) => path.split(".")[0]!),
);

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly code?: string | undefined;
}

function describeIssue(
  issue: Issue & { readonly keys?: readonly string[] },
  merged: ReadonlyMap<string, RawValue>,
): string[] {
  const prefix = issue.path.join(".");
  if (issue.code !== "unrecognized_keys")
    return [describeBadValue(prefix, issue.message, merged.get(prefix))];
  return (issue.keys ?? []).map((key) => {
    const path = prefix === "" ? key : `${prefix}.${key}`;
    return describeUnknown(path, merged.get(path)?.origin);
  });
}

function describeBadValue(path: string, rule: string, entry: RawValue | undefined): string {
  const setting = settings.get(path);
  if (setting === undefined)
    return `${path} must be a map of settings (from ${entry?.origin.name ?? CONFIG_FILE}).`;
  const got = setting.isSecret ? "something else" : redact(JSON.stringify(entry?.value) ?? "nothing");
  const origin = entry === undefined ? "" : ` (from ${entry.origin.name})`;
  return `${path} must be ${rule}, got ${got}${origin}.${suggestValue(rule, entry?.value, setting.example)}`;
}

/** For a choice the nearest name, for the rest an example. */
function suggestValue(rule: string, value: unknown, example: string | undefined): string {
  const choices = /^one of (.*)$/.exec(rule)?.[1]?.split(", ");
  if (choices !== undefined) return didYouMean(String(value), choices);
  return example === undefined ? "" : ` Try ${example}.`;
}

function describeUnknown(path: string, origin: Origin | undefined): string {
  if (origin?.layer === "environment") {
    const variables = [...settings.values()].map(({ variable }) => variable);
    return `unknown variable ${path} in the environment.${didYouMean(path, variables)}`;
  }
  const where = origin?.name ?? CONFIG_FILE;
  const candidates = [...settings.keys(), ...SECTIONS];
  return `unknown key "${path}" in ${where}.${didYouMean(path, candidates)}`;
}

/** Rules between settings. @throws UsageError */
function rejectContradictions(config: Config, merged: ReadonlyMap<string, RawValue>): void {
  const problems: string[] = [];
  const archive = trimSlashes(config.archiveDir);
  const input = trimSlashes(config.input);
  if (config.whenDone === "archive" && (archive === input || archive.startsWith(`${input}/`))) {
    const { origin } = merged.get("archiveDir")!;
    problems.push(
      `archiveDir must not be in the input folder "${config.input}", got "${config.archiveDir}" (from ${origin.name}): ` +
        "archived files would be read again.",
    );
  }
  problems.push(...refuseMonitor(config));
  problems.push(...refuseInterval(config, merged), ...refuseDrain(config, merged));
  if (problems.length > 0) throw new UsageError(problems);
  if (config.databaseUrl !== undefined) rememberUrlPassword(config.databaseUrl);
}

function refuseMonitor({ monitorTlsCert, monitorTlsKey, ...config }: Config): string[] {
  if ((monitorTlsCert === undefined) !== (monitorTlsKey === undefined))
    return ["monitorTlsCert and monitorTlsKey belong together: give both or neither."];
  const isSafe = isLoopback(config.monitorHost) || config.monitorInsecure || monitorTlsCert !== undefined;
  if (isSafe || config.monitorPort === 0) return [];
  return [
    `monitorHost ${JSON.stringify(config.monitorHost)} can be reached by others: give --monitor-tls-cert and ` +
      "--monitor-tls-key, or --monitor-insecure where the network is your own.",
  ];
}

function refuseInterval(config: Config, merged: ReadonlyMap<string, RawValue>): string[] {
  if (config.interval === undefined) return [];
  const from = (path: string) => merged.get(path)!.origin.name;
  const problems: string[] = [];
  if (config.once)
    problems.push(
      `interval (from ${from("interval")}) goes on until it is stopped, once (from ${from("once")}) does not. Keep one.`,
    );
  if (config.runner === "direct")
    problems.push(
      `interval (from ${from("interval")}) is for runners on job servers, not for runner "direct" (from ${from("runner")}), ` +
        "which reads what is new as it comes.",
    );
  return problems;
}

function refuseDrain({ drain, once, runner }: Config, merged: ReadonlyMap<string, RawValue>): string[] {
  const from = merged.get("drain")!.origin.name;
  if (!drain || (once && runner === "direct")) return [];
  const why = once
    ? `for runner "direct": on ${runner} whatever is bounded comes to its end by itself.`
    : "for --once: a stream is drained by `npm run pipeline -- drain` from another command.";
  return [`drain (from ${from}) is ${why}`];
}

function trimSlashes(path: string): string {
  return path.replace(/^\.\//, "").replace(/\/+$/, "");
}

/** Known from here on, even if the URL turns out to be unreadable. */
function rememberUrlPassword(url: string): void {
  const password = /^[a-z]+:\/\/[^:/@]*:([^/]*)@/i.exec(url)?.[1];
  if (password === undefined) return;
  const user = /^[a-z]+:\/\/([^:/@]*):/i.exec(url)?.[1] ?? "";
  rememberSecret(password, [user]);
}
