/** One layer of configuration: raw values by path, each with the place it came from. */
import { isSinkVariable } from "../../sql/sink-databases.js";
import { settings } from "./settings.js";

const LAYERS = ["default", "file", "environment", "flag"] as const;

export type LayerName = (typeof LAYERS)[number];

/** Where a value came from. */
export interface Origin {
  readonly layer: LayerName;
  /** As a person would look for it: `default`, `millrace.yaml:3`, `MILLRACE_INPUT`, `--input`. */
  readonly name: string;
}

export interface RawValue {
  readonly value: unknown;
  readonly origin: Origin;
}

/** Of two origins the one with the higher rank is heard. */
export function rankOf({ layer }: Origin): number {
  return LAYERS.indexOf(layer);
}

/** By path, e.g. `quietMs` or `generate.duration`; unknown paths are in it as well. */
export type Layer = ReadonlyMap<string, RawValue>;

/** What every setting is when nobody says anything. */
export function defaultsLayer(): Layer {
  const layer = new Map<string, RawValue>();
  for (const { path, default: value } of settings.values()) {
    if (value !== undefined) layer.set(path, { value, origin: { layer: "default", name: "default" } });
  }
  return layer;
}

/**
 * `MILLRACE_*`, `DATABASE_URL` and `DATABASE_URL_FILE`; an empty variable counts as not set. A variable
 * that starts with `MILLRACE_` and is no setting is kept under its own name, for the schema to refuse.
 */
export function environmentLayer(env: Readonly<Record<string, string | undefined>>): Layer {
  const layer = new Map<string, RawValue>();
  for (const [variable, path] of Object.entries(FOREIGN_VARIABLES)) put(layer, path, variable, env[variable]);
  const paths = new Map([...settings.values()].map(({ variable, path }) => [variable, path]));
  for (const variable of Object.keys(env).sort()) {
    if (!variable.startsWith("MILLRACE_") || isNotOurs(variable)) continue;
    put(layer, paths.get(variable) ?? variable, variable, env[variable]);
  }
  return layer;
}

/** What the command line said, by path. */
export function flagsLayer(flags: ReadonlyMap<string, unknown>): Layer {
  const layer = new Map<string, RawValue>();
  for (const [path, value] of flags) {
    const name = settings.get(path)?.flag ?? `--${path}`;
    layer.set(path, { value, origin: { layer: "flag", name } });
  }
  return layer;
}

/** Names that other tools share; ours (`MILLRACE_DATABASE_URL`) goes first. */
const FOREIGN_VARIABLES: Readonly<Record<string, string>> = {
  DATABASE_URL: "databaseUrl",
  DATABASE_URL_FILE: "databaseUrlFile",
};

/** The configuration file's own variable, connections of sinks, failpoints of tests, and what Kubernetes sets for a service of our name. */
function isNotOurs(variable: string): boolean {
  return (
    variable === "MILLRACE_CONFIG" ||
    isSinkVariable(variable) ||
    /^MILLRACE_(FAILPOINT|TEST)/.test(variable) ||
    /^MILLRACE_(SERVICE_HOST|SERVICE_PORT|PORT)(_|$)/.test(variable)
  );
}

function put(layer: Map<string, RawValue>, path: string, name: string, value: string | undefined): void {
  if (value === undefined || value === "") return;
  layer.set(path, { value, origin: { layer: "environment", name } });
}
