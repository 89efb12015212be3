/** Writes sql/postgres_setup.sql: the migrations in one file, for `psql -f`. Run by `npm run sql:setup`. */
import { writeFile } from "node:fs/promises";
import { setupSql } from "./setup-sql.js";

await writeFile(new URL("../../sql/postgres_setup.sql", import.meta.url), await setupSql());
