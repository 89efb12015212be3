/** What a monitor leaves in the state folder for the command line: its token, and the addresses of those that run. */
import { randomBytes } from "node:crypto";
import { chmod, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

const TOKEN_FILE = "monitor-token";
const TOKEN_BYTES = 32;

/** Where a monitor of this machine answers. */
export interface MonitorAddress {
  readonly url: string;
  readonly pid: number;
}

/**
 * The token of this state folder, made if there is none: the same over restarts, so that an open page goes on.
 * One that others could read is not used any more.
 */
export async function ensureToken(stateDir: string): Promise<string> {
  const file = join(stateDir, TOKEN_FILE);
  await mkdir(stateDir, { recursive: true });
  const known = await readToken(stateDir);
  if (known !== undefined && ((await stat(file)).mode & 0o077) === 0) return known;
  const token = randomBytes(TOKEN_BYTES).toString("base64url");
  await writePrivately(file, `${token}\n`);
  return token;
}

/** Undefined where no monitor has ever run. */
export async function readToken(stateDir: string): Promise<string | undefined> {
  const text = await readIfThere(join(stateDir, TOKEN_FILE));
  const token = text?.trim();
  return token === undefined || token.length < TOKEN_BYTES ? undefined : token;
}

export async function writeAddress(
  stateDir: string,
  pipeline: string,
  address: MonitorAddress,
): Promise<void> {
  await writePrivately(addressFile(stateDir, pipeline), JSON.stringify(address));
}

/** Undefined where no monitor of the pipeline runs, or its process is gone. */
export async function readAddress(stateDir: string, pipeline: string): Promise<MonitorAddress | undefined> {
  const text = await readIfThere(addressFile(stateDir, pipeline));
  if (text === undefined) return undefined;
  const address = JSON.parse(text) as MonitorAddress;
  return isAlive(address.pid) ? address : undefined;
}

/** Only if it is still this process's. */
export async function removeAddress(stateDir: string, pipeline: string): Promise<void> {
  const address = await readAddress(stateDir, pipeline);
  if (address?.pid === process.pid) await rm(addressFile(stateDir, pipeline), { force: true });
}

function addressFile(stateDir: string, pipeline: string): string {
  return join(stateDir, `monitor-${encodeURIComponent(pipeline)}.json`);
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** For its owner alone from the first byte on, and never half written. */
async function writePrivately(file: string, text: string): Promise<void> {
  const part = `${file}.${process.pid}.part`;
  const handle = await open(part, "w", 0o600);
  try {
    await handle.writeFile(text);
  } finally {
    await handle.close();
  }
  await chmod(part, 0o600); // a file of that name may have been there
  await rename(part, file);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
