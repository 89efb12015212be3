/** A module as a pipeline's author names it. */
import path from "node:path";
import { pathToFileURL } from "node:url";

/** Its URL: given as one, or as a path from the working directory. */
export function moduleUrl(module: string | URL): string {
  if (module instanceof URL) return module.href;
  return module.startsWith("file:") ? module : pathToFileURL(path.resolve(module)).href;
}
