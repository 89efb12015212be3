/** What mocha does around a whole run: the servers that tests started are stopped. */
import { stopTestPostgres } from "./postgres.js";

export const mochaHooks = {
  async afterAll(): Promise<void> {
    await stopTestPostgres();
  },
};
