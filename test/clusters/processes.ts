/** Processes by their parent, as `ps` tells them: executors are children of Spark's workers, workers of their pool. */
import { execFileSync } from "node:child_process";

export interface ProcessLine {
  readonly pid: number;
  readonly command: string;
}

/** Those that `pid` has started and that still run. */
export function childrenOf(pid: number): ProcessLine[] {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid=,stat=,args="], {
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  return table.split("\n").flatMap((line) => {
    const [, child, parent, state, command] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
    const isChild = Number(parent) === pid && !state!.startsWith("Z");
    return isChild ? [{ pid: Number(child), command: command! }] : [];
  });
}
