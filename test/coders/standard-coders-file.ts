/** Beam's own list of reference encodings, `standard_coders.yaml`, out of its Maven artifact. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";

const ARTIFACT = "org.apache.beam:beam-model-fn-execution:2.49.0";
const PATH_IN_ARTIFACT = "org/apache/beam/model/fnexecution/v1/standard_coders.yaml";

/** A coder as the file names it. */
export interface CoderSpec {
  readonly urn: string;
  /** Each character a byte. */
  readonly payload?: string;
  readonly components?: readonly CoderSpec[];
  readonly non_deterministic?: boolean;
  /** What a runner's state has, by token, each character a byte. */
  readonly state?: Readonly<Record<string, string>>;
}

/** Reference encodings of one coder. */
export interface Block {
  /** From 1, in the order of the file. */
  readonly number: number;
  readonly coder: CoderSpec;
  /** Absent: the encoding is the same in both contexts. */
  readonly nested?: boolean;
  /** Values by encoding, each of whose characters is a byte. Integers are bigints. */
  readonly examples: Readonly<Record<string, unknown>>;
}

/** Maven keeps the artifact in its own repository; what is unpacked of it is gone again afterwards. */
export async function readBlocks(): Promise<Block[]> {
  const folder = await mkdtemp(join(tmpdir(), "millrace-standard-coders-"));
  try {
    const unpack = ["dependency:unpack", `-Dartifact=${ARTIFACT}`, `-DoutputDirectory=${folder}`];
    const only = "-Dmdep.unpack.includes=**/standard_coders.yaml";
    // In the folder, because the goal leaves a marker file where it is started.
    await promisify(execFile)("mvn", ["--quiet", "--batch-mode", ...unpack, only], { cwd: folder });
    const text = await readFile(join(folder, PATH_IN_ARTIFACT), "utf8");
    const documents = parseAllDocuments(text, { intAsBigInt: true });
    return [...documents].map((document, i) => ({
      number: i + 1,
      ...(document.toJS() as Omit<Block, "number">),
    }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** URN and components on one line. */
export function nameOf({ urn, components = [] }: CoderSpec): string {
  const name = urn.replace(/^beam:coder:|:v1$/g, "");
  return components.length === 0 ? name : `${name}<${components.map(nameOf).join(", ")}>`;
}

export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "latin1"));
}
