/** A second pipeline, to show how little one takes: page visits from CSV files into a table of their own. */
import { z } from "zod";
import "../../transforms/all-do-fns.js";
import { deduplicate } from "../../transforms/deduplicate.js";
import { P, Pipeline, Root, withName } from "../../transforms/primitives/beam.js";
import { readFromDirectory } from "../../transforms/read-from-directory.js";
import { canonicalTimestamp } from "../../transforms/timestamp.js";
import { defineSchema } from "../../transforms/validate.js";
import { validate } from "../../transforms/validate-records.js";
import { writeDeadLetters } from "../../transforms/write-dead-letters.js";
import { writeToPostgres } from "../../transforms/write-to-postgres.js";

const visit = z.object({
  visit_id: z.string().min(1),
  visited_at: z.string().transform(canonicalTimestamp).pipe(z.string()),
  duration_ms: z.coerce.number().int().nonnegative(),
  is_member: z.stringbool(),
});
const { name: schema } = defineSchema("page-visit", visit);
const columns = Object.keys(visit.shape);
const table = { table: "web.page_visits", columns, conflictKey: ["visit_id"] };
const memory = { key: "visit_id", horizon: { records: 1000 } };

export function buildPageVisits(directory: string, errorDir: string): Pipeline {
  const pipeline = new Pipeline();
  const format = { format: "csv", options: { columns, timestampColumn: "visited_at" } };
  const source = readFromDirectory({ directory, format }, "available-now");
  const records = new Root(pipeline).apply(withName("ReadVisits", source));
  const { valid, invalid } = P(records).apply(withName("ValidateVisits", validate(schema)));
  const fresh = P(valid).apply(withName("DropDuplicates", deduplicate(memory)));
  const { rejected } = P(fresh).apply(withName("WriteVisits", writeToPostgres(table)));
  P([invalid, rejected]).apply(withName("WriteDeadLetters", writeDeadLetters({ errorDir })));
  return pipeline;
}
