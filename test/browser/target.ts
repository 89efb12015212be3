/** What the tests look at: a server without a job, or the one that MILLRACE_MONITOR_URL names. */
import { FakeApi } from "./fake-api.js";

export interface Target {
  readonly url: string;
  readonly token: string;
  /** What it can be made to do; null for a real one. */
  readonly fake: FakeApi | null;
  stop(): Promise<void>;
}

/** Takes the link as a run prints it, token and all. */
export async function openTarget(link = process.env["MILLRACE_MONITOR_URL"]): Promise<Target> {
  if (link === undefined || link === "") {
    const fake = new FakeApi();
    const url = await fake.start();
    return { url, token: fake.token, fake, stop: () => fake.stop() };
  }
  const { origin, hash } = new URL(link);
  const token = new URLSearchParams(hash.slice(1)).get("token");
  if (token === null) {
    throw new Error(`MILLRACE_MONITOR_URL must be a link with #token=, as a run prints it, got ${origin}`);
  }
  return { url: origin, token, fake: null, stop: async () => undefined };
}

/** The address of a page with the token that opens everything. */
export function linkTo({ url, token }: Target, path: string): string {
  return `${url}${path}#token=${token}`;
}
