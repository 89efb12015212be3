/** `millrace.yaml` as a layer of configuration, with the line of every key. */
import { readFile } from "node:fs/promises";
import { UsageError } from "../usage-error.js";
import type { Layer, RawValue } from "./config-layer.js";
import { settings } from "./settings.js";

/** The file that is read when nobody names another. */
export const CONFIG_FILE = "millrace.yaml";

/**
 * Reads the file that was named, else `millrace.yaml` if there is one.
 * @throws UsageError when a named file is missing, or the file is not a map of settings.
 */
export async function readConfigFile(named: string | undefined): Promise<Layer> {
  const path = named ?? CONFIG_FILE;
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && named === undefined) return new Map();
    throw new UsageError([`the configuration file must be readable, got "${path}" (${code})`]);
  }
  return parseConfigFile(text, path);
}

/** @throws UsageError with path and line for what is no YAML. */
export async function parseConfigFile(text: string, path: string): Promise<Layer> {
  // only here: a command without a file starts 50 ms sooner
  const { parseDocument, LineCounter, isMap, isScalar, isNode } = await import("yaml");
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const broken = document.errors.map(
    ({ message, pos }) => `${path}:${lines.linePos(pos[0]).line}: ${message}`,
  );
  if (broken.length > 0) throw new UsageError(broken);
  const layer = new Map<string, RawValue>();
  const visit = (node: unknown, prefix: string) => {
    if (!isMap(node)) return;
    for (const { key, value } of node.items) {
      const name = `${prefix}${isScalar(key) ? String(key.value) : String(key)}`;
      const offset = isNode(key) ? (key.range?.[0] ?? 0) : 0;
      if (isSection(name) && isMap(value)) {
        visit(value, `${name}.`);
        continue;
      }
      const origin = { layer: "file" as const, name: `${path}:${lines.linePos(offset).line}` };
      layer.set(name, { value: isNode(value) ? value.toJS(document) : value, origin });
    }
  };
  if (document.contents !== null && !isMap(document.contents)) {
    throw new UsageError([`${path} must be a map of settings, like "input: data/raw"`]);
  }
  visit(document.contents, "");
  return layer;
}

function isSection(name: string): boolean {
  return [...settings.keys()].some((path) => path.startsWith(`${name}.`));
}
