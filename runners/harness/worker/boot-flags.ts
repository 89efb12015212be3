/** The flags that Beam's runners start a worker's container with. */
import { parseArgs } from "node:util";
import { didYouMean } from "../../nearest-name.js";
import type { WorkerEndpoints } from "./worker-spec.js";

export interface BootFlags extends WorkerEndpoints {
  readonly workerId: string;
}

const NEEDED = ["id", "provision_endpoint"] as const;
const ENDPOINTS = [
  "provision_endpoint",
  "control_endpoint",
  "logging_endpoint",
  "artifact_endpoint",
  "status_endpoint",
];
/** `status_endpoint` comes with the provision; a worker keeps nothing for which it would need the folder. */
const KNOWN = ["id", ...ENDPOINTS, "semi_persist_dir"];

/** Flags that a worker cannot be started with; a line for each problem. */
export class BootFlagsError extends Error {
  override readonly name = "BootFlagsError";

  constructor(readonly problems: readonly string[]) {
    super(problems.join("\n"));
  }
}

/** @throws BootFlagsError */
export function readBootFlags(argv: readonly string[]): BootFlags {
  const options = Object.fromEntries(KNOWN.map((name) => [name, { type: "string" as const }]));
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true });
  const flags = new Map<string, string>();
  const problems: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") problems.push(`"${token.value}" is no flag`);
    if (token.kind !== "option") continue;
    if (!KNOWN.includes(token.name)) {
      problems.push(`there is no flag ${token.rawName}.${didYouMean(token.name, KNOWN)}`);
    } else if (flags.has(token.name)) problems.push(`--${token.name} is given twice`);
    else flags.set(token.name, token.value ?? "");
  }
  for (const name of NEEDED) if (!flags.has(name)) problems.push(`--${name} is missing`);
  for (const [name, value] of flags) {
    if (value === "") problems.push(`--${name} needs a value`);
    else if (ENDPOINTS.includes(name) && !isEndpoint(value)) {
      problems.push(`--${name} must be host:port, got "${value}"`);
    }
  }
  if (problems.length > 0) throw new BootFlagsError(problems);
  return {
    workerId: flags.get("id")!,
    provisionEndpoint: flags.get("provision_endpoint"),
    controlEndpoint: flags.get("control_endpoint"),
    loggingEndpoint: flags.get("logging_endpoint"),
    artifactEndpoint: flags.get("artifact_endpoint"),
  };
}

function isEndpoint(value: string): boolean {
  const port = Number(/^[^\s/]+:(\d{1,5})$/.exec(value)?.[1]);
  return port >= 1 && port <= 65_535;
}
