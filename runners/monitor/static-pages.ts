/** The pages' files as the build left them: only names found at the start are served, never a path that was sent. */
import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { notFound } from "./api-error.js";

const FOLDER = fileURLToPath(new URL("./pages/", import.meta.url));
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};
const INDEX = "index.html";
const ASSETS = "assets/";
/** All that is served besides assets: what else lies in the folder, the compiler or somebody has put there. */
const TOP_FILES = [INDEX, "icon.svg"];

export class StaticPages {
  readonly #folder: string;
  readonly #names: ReadonlySet<string>;

  private constructor(folder: string, names: readonly string[]) {
    this.#folder = folder;
    this.#names = new Set(names);
  }

  /** Where the pages were not built, there are none, and the API is all there is. */
  static async find(folder: string = FOLDER): Promise<StaticPages> {
    const top = await readdir(folder).catch(() => [] as string[]);
    const assets = await readdir(join(folder, ASSETS)).catch(() => [] as string[]);
    const names = [...TOP_FILES.filter((name) => top.includes(name)), ...assets.map((name) => ASSETS + name)];
    return new StaticPages(folder, names);
  }

  /** @throws ApiError when there is no such file, and no page either */
  async respond(path: string): Promise<Response> {
    const name = path.replace(/^\//, "");
    const isFile = this.#names.has(name);
    if (!isFile && (!isPage(name) || !this.#names.has(INDEX))) {
      throw notFound(this.#names.has(INDEX) ? `no file ${JSON.stringify(path)}` : "the pages are not built");
    }
    const file = isFile ? name : INDEX;
    const headers = {
      "content-type": TYPES[extname(file)] ?? "application/octet-stream",
      // a name under assets/ has its content's hash in it
      "cache-control": file.startsWith(ASSETS) ? "public, max-age=31536000, immutable" : "no-cache",
    };
    return new Response(new Uint8Array(await readFile(join(this.#folder, file))), { headers });
  }
}

/** What stands behind a page's name is the page's to read: the path of a step may have a dot. */
function isPage(name: string): boolean {
  return !name.startsWith(ASSETS) && extname(name.split("/")[0]!) === "";
}
