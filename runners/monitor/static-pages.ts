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
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".webmanifest": "application/manifest+json",
};
const INDEX = "index.html";

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
    const assets = await readdir(join(folder, "assets")).catch(() => [] as string[]);
    // beside them the compiler leaves modules, which no page loads
    const pages = top.filter((name) => TYPES[extname(name)] !== undefined && extname(name) !== ".js");
    return new StaticPages(folder, [...pages, ...assets.map((name) => `assets/${name}`)]);
  }

  /** @throws ApiError when there is no such file, and no page either */
  async respond(path: string): Promise<Response> {
    const name = path.replace(/^\//, "");
    const isFile = this.#names.has(name);
    if (!isFile && (extname(name) !== "" || !this.#names.has(INDEX))) {
      throw notFound(this.#names.has(INDEX) ? `no file ${JSON.stringify(path)}` : "the pages are not built");
    }
    const file = isFile ? name : INDEX;
    const headers = {
      "content-type": TYPES[extname(file)] ?? "application/octet-stream",
      // a name under assets/ has its content's hash in it
      "cache-control": file.startsWith("assets/") ? "public, max-age=31536000, immutable" : "no-cache",
    };
    return new Response(new Uint8Array(await readFile(join(this.#folder, file))), { headers });
  }
}
