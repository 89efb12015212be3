/** A temporary input directory for tests of the directory source. */
import { appendFile, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ReadFromDirectoryConfig } from "../../transforms/read-from-directory/read-from-directory-config.js";
import { LINES } from "./line-format.js";
import { SourceHost, type SourceHostOptions } from "./source-host.js";

export class SourceDirectory {
  readonly #startMs = Date.now();

  private constructor(readonly root: string) {}

  static async create(): Promise<SourceDirectory> {
    return new SourceDirectory(await mkdtemp(join(tmpdir(), "millrace-source-")));
  }

  at(name: string): string {
    return join(this.root, name);
  }

  host(config: Partial<ReadFromDirectoryConfig> = {}, options: Partial<SourceHostOptions> = {}): SourceHost {
    return new SourceHost({ config: { directory: this.root, format: LINES, ...config }, ...options });
  }

  /** Writes a file whose last change was so long before the directory was made. */
  async writeAged(name: string, content: string | Buffer, ageMs: number): Promise<void> {
    await writeFile(this.at(name), content);
    const time = (this.#startMs - ageMs) / 1000;
    await utimes(this.at(name), time, time);
  }

  /** Appends at the time of the source's clock. */
  async grow(source: SourceHost, name: string, content: string | Buffer): Promise<void> {
    await appendFile(this.at(name), content);
    const time = source.clock.now() / 1000;
    await utimes(this.at(name), time, time);
  }

  async remove(): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }
}
