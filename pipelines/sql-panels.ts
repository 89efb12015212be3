/** Panels of the monitor whose data are what a statement gives. */
import type { PanelData, PanelDescription } from "../runners/job/job-view.js";
import type { Panel } from "../runners/monitor/monitored.js";
import { type ConnectionConfig, SqlSession } from "../sql/sql-session.js";

const STATEMENT_TIMEOUT_MS = 5_000;

type ColumnType = PanelData["columns"][number]["type"];

export interface SqlPanel extends PanelDescription {
  readonly statement: string;
  /** Of columns that are no text. */
  readonly types: Readonly<Record<string, ColumnType>>;
}

/** Each read takes a session of its own: nobody may look for hours. */
export function sqlPanels(connection: ConnectionConfig, panels: readonly SqlPanel[]): Panel[] {
  return panels.map(({ statement, types, ...description }) => ({
    description,
    read: async () => {
      const session = await SqlSession.connect({ connection, applicationName: "millrace/panel" });
      try {
        await session.query(`set statement_timeout = ${STATEMENT_TIMEOUT_MS}; set time zone 'UTC'`);
        const [table] = await session.tables(statement);
        return {
          columns: table!.columns.map((name) => ({ name, type: types[name] ?? "text" })),
          rows: table!.rows as PanelData["rows"],
        };
      } finally {
        await session.close();
      }
    },
  }));
}
