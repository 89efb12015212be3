/** Whether a worker pool of this machine is there: a job server asks for it late, and says little when it is not. */
import { Client, credentials } from "@grpc/grpc-js";
import { reach } from "./reach.js";

/** How long it may take to be reached. */
const REACH_MS_MAX = 5_000;

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\]):\d+$/;

/**
 * Pools at other addresses are let through: what reaches them are the job server's machines, which this one need
 * not be. @throws when nobody answers at an address of this machine
 */
export async function reachLocalPool(endpoint: string): Promise<void> {
  if (!LOOPBACK.test(endpoint)) return;
  const client = new Client(endpoint, credentials.createInsecure());
  try {
    if (await reach(client, REACH_MS_MAX)) return;
    const port = endpoint.slice(endpoint.lastIndexOf(":") + 1);
    throw new Error(
      `no worker pool answers at ${endpoint} (waited ${REACH_MS_MAX / 1_000} s): start one with npm run worker -- --port ${port}`,
    );
  } finally {
    client.close();
  }
}
