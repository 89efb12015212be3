/** Makes every statement that inserts events take a while inside PostgreSQL, to be caught in the middle. */
import { ask, askUntil, migrateWorkspace, type Workspace } from "./pipeline-process.js";

/** Each INSERT into user_events sleeps until the returned function is called. */
export async function slowDownInserts(workspace: Workspace, seconds = 0.5): Promise<() => Promise<void>> {
  await migrateWorkspace(workspace);
  await ask(
    workspace,
    `create table slow as select ${seconds}::double precision as seconds;
     create function sleep_a_while() returns trigger language plpgsql as $$
       begin
         perform pg_sleep(seconds) from slow;
         return null;
       end $$;
     create trigger slow after insert on user_events for each statement execute function sleep_a_while();`,
  );
  return async () => {
    await ask(workspace, "delete from slow");
  };
}

/** Resolves when a runner's INSERT is asleep in PostgreSQL. */
export async function untilSleeping(workspace: Workspace): Promise<void> {
  await askUntil(
    workspace,
    "select from pg_stat_activity where application_name = 'millrace/pipeline' and wait_event = 'PgSleep'",
  );
}
