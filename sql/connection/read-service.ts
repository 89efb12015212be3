/** The connection service file of libpq: a named section of parameters. */
import { readFileSync } from "node:fs";
import { ConnectionConfigError } from "./connection-config-error.js";
import { assertKnown, type ConnectionParameters } from "./parse-connection-url.js";

/**
 * The parameters of a service: from the first of the files that has its section.
 * @throws ConnectionConfigError when no file has it, or the section cannot be read.
 */
export function readService(service: string, paths: readonly string[]): ConnectionParameters {
  for (const path of paths) {
    const text = readIfThere(path);
    const found = text === undefined ? undefined : findSection(text, service, path);
    if (found !== undefined) return found;
  }
  throw new ConnectionConfigError(`no service "${service}" in ${paths.join(" or ")}`);
}

function findSection(text: string, service: string, path: string): ConnectionParameters | undefined {
  let parameters: Record<string, string> | undefined;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const entry = line.trim();
    if (entry === "" || entry.startsWith("#")) continue;
    const header = /^\[(.*)\]$/.exec(entry);
    if (header !== null) {
      if (parameters !== undefined) break;
      if (header[1] === service) parameters = {};
    } else if (parameters !== undefined) {
      const equals = entry.indexOf("=");
      if (equals < 1) throw new ConnectionConfigError(`${path}:${index + 1} is not keyword=value`);
      const keyword = entry.slice(0, equals).trim();
      assertKnown(keyword);
      parameters[keyword] = entry.slice(equals + 1).trim();
    }
  }
  return parameters;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new ConnectionConfigError(`service file "${path}" cannot be read`, { cause: error });
  }
}
