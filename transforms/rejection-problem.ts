/** A refusal of PostgreSQL as the problem of the value that it refused. */
import type { Problem } from "./input-record.js";

/** With SQLSTATE, and column and constraint where PostgreSQL names them. */
export function rejectionProblem(error: Error): Problem {
  const { code, column, constraint } = error as Error &
    Partial<Record<"code" | "column" | "constraint", string>>;
  const facts = [`SQLSTATE ${code}`, column && `column ${column}`, constraint && `constraint ${constraint}`];
  const message = `${facts.filter(Boolean).join(", ")}: ${error.message}`;
  return { reason: "rejected_by_database", messages: [message] };
}
