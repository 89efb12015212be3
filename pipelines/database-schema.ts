/** The schema of our database, as the commands bring it up to date. */
import { migrate } from "../sql/migrate.js";
import { SqlSession } from "../sql/sql-session.js";
import { classify } from "../sql/sql-state.js";
import type { DatabaseSchema } from "./verb.js";

export const databaseSchema: DatabaseSchema = {
  async migrate(connection, log) {
    const session = await SqlSession.connect({ connection, applicationName: "millrace/migrate" });
    try {
      await migrate(session, log);
    } finally {
      await session.close();
    }
  },
  isAway: (error) => classify(error) === "retry",
};
