/** Whether a gRPC service answers, asked before anything is asked of it. */
import type { Client } from "@grpc/grpc-js";

/** Resolves with false when nobody has answered after `msMax`. */
export function reach(client: Client, msMax: number): Promise<boolean> {
  return new Promise((resolve) => {
    client.waitForReady(Date.now() + msMax, (error) => resolve(error === undefined));
  });
}
