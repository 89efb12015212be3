/** A server must not outlive whoever started it, not even one that was killed: then nothing of ours runs any more. */
import { spawn } from "node:child_process";

/** Reads until this process's end closes the pipe; `$0` is the server, `$1` its folder. */
const WATCH = 'read -r _; kill -KILL "$0" 2>/dev/null; rm -rf "$1"';

/**
 * Sees to it that the server of this process id, and its folder, end with this process, however that ends.
 * @returns what is to be called when the server has ended by itself: its process id may be another's from then on
 */
export function endWithUs(pid: number, workDir: string): () => void {
  // in a group of its own: Ctrl-C would end it before its time
  const watch = spawn("/bin/sh", ["-c", WATCH, String(pid), workDir], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  watch.on("error", () => undefined); // without a shell the server ends with an orderly end alone
  watch.stdin.on("error", () => undefined);
  watch.unref();
  (watch.stdin as unknown as { unref(): void }).unref();
  const kill = () => void process.kill(pid, "SIGKILL");
  process.once("exit", kill);
  return () => {
    process.removeListener("exit", kill);
    watch.kill("SIGKILL");
  };
}
