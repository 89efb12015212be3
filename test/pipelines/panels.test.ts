/** The panels of the pipelines: their statements run, and give the columns that charts and types name. */
import { expect } from "chai";
import { liveMetricsPanels } from "../../pipelines/live-metrics/panels.js";
import { shopPanels } from "../../pipelines/shop-panels.js";
import { sqlPanels } from "../../pipelines/sql-panels.js";
import { type MigratedDatabase, migratedDatabase } from "../support/migrated-database.js";

describe("panels", () => {
  let database: MigratedDatabase;
  before(async () => {
    database = await migratedDatabase();
    await database.session.query(`
      insert into user_events (event_id, user_id, event_type, product_id, price, event_timestamp)
        values ('e1', 'u1', 'view', 'p1', 1, '2026-01-31T12:00:00Z'), ('e2', 'u1', 'purchase', 'p1', 2, '2026-01-31T12:01:00Z');
      insert into live_minutes values ('2026-01-31T12:00:00Z', 'view', 1, 0, 0);
      insert into live_top_products values ('2026-01-31T11:51:00Z', 1, 'p1', 1, 2, 0);
      insert into live_sessions
        values ('u1', '2026-01-31T12:00:00Z', '2026-01-31T12:01:00Z', 2, 1, 0, 1, 2, 'view', 0);
      insert into live_abandoned_carts values ('u1', '2026-01-31T12:00:00Z', '2026-01-31T12:01:00Z', 1, 2, 0);
      insert into live_late_events
        values ('e3', 'u1', 'view', 'p1', 1, '2026-01-31T10:00:00Z', interval '2 hours')`);
  });
  after(() => database.close());

  for (const panel of [...shopPanels, ...liveMetricsPanels]) {
    it(`${panel.name} has the columns that it names, and rows`, async () => {
      const [made = expect.fail()] = sqlPanels(database.connection, [panel]);
      const { columns, rows } = await made.read();
      expect(rows).not.to.be.empty;
      const names = columns.map(({ name }) => name);
      const named = [
        ...(panel.x === undefined ? [] : [panel.x]),
        ...(panel.y ?? []),
        ...Object.keys(panel.types),
      ];
      expect(names).to.include.members(panel.by === undefined ? named : [...named, panel.by]);
      const times = columns.flatMap(({ name, type }) => (type === "time" ? [names.indexOf(name)] : []));
      for (const at of times) expect(Date.parse(String(rows[0]![at])), names[at]).to.be.greaterThan(0);
    });
  }
});
