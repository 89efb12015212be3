/** sinkDatabasesOf(): names to connections, from the environment alone, with nothing of the coordinating database's. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { ConnectionConfigError } from "../../sql/connection-config.js";
import { isSinkVariable, sinkDatabasesOf, sinkVariable } from "../../sql/sink-databases.js";

describe("sinkDatabasesOf()", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "millrace-sinks-"));
    await writeFile(join(folder, "pgpass"), "there:*:*:*:from the file\n", { mode: 0o600 });
    await writeFile(join(folder, "url"), "postgres://them@there:6543/archive?sslmode=disable\n");
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("takes URLs and files that hold one, by the name in the variable", async () => {
    const databases = sinkDatabasesOf({
      MILLRACE_SINK_REPORTS_URL: "postgres://me:secret@elsewhere/reports?sslmode=disable",
      MILLRACE_SINK_OLD_URL_URL_FILE: join(folder, "url"),
      MILLRACE_SINK_NONE_URL: "",
      MILLRACE_DATABASE_URL: "postgres://here/db",
    });
    expect([...databases.keys()].sort()).to.deep.equal(["old_url", "reports"]);
    const reports = await databases.get("reports")!();
    expect(reports).to.include({ host: "elsewhere", port: 5432, user: "me", database: "reports" });
    expect((reports.password as () => string)()).to.equal("secret");
    const old = await databases.get("old_url")!();
    expect(old).to.include({ host: "there", port: 6543, user: "them", database: "archive" });
  });

  it("takes of PG* only where secrets are: what names the coordinating database is not another's", async () => {
    const databases = sinkDatabasesOf({
      ...{ PGHOST: "here", PGPORT: "1111", PGUSER: "i", PGPASSWORD: "here's", PGDATABASE: "main" },
      ...{ PGPASSFILE: join(folder, "pgpass"), PGSSLMODE: "disable" },
      MILLRACE_SINK_REPORTS_URL: "postgres://them@there/reports",
    });
    const connection = await databases.get("reports")!();
    expect(connection).to.include({
      host: "there",
      port: 5432,
      user: "them",
      database: "reports",
      ssl: false,
    });
    expect((connection.password as () => string)()).to.equal("from the file");
  });

  it("refuses by the variable what cannot be read, or names a database twice, and tells no secret", () => {
    const refusal = (env: Record<string, string>) => {
      try {
        sinkDatabasesOf(env);
      } catch (error) {
        expect(error).to.be.instanceOf(ConnectionConfigError);
        return (error as Error).message;
      }
      return "";
    };
    expect(refusal({ MILLRACE_SINK_A_URL: "postgres://u:secret@h/db?nonsense=1" }))
      .to.match(/^MILLRACE_SINK_A_URL: /)
      .and.not.include("secret");
    expect(refusal({ MILLRACE_SINK_A_URL_FILE: join(folder, "none") })).to.match(
      /^MILLRACE_SINK_A_URL_FILE names ".*none", which cannot be read \(ENOENT\)$/,
    );
    const both = { MILLRACE_SINK_A_URL: "postgres://h/db", MILLRACE_SINK_A_URL_FILE: join(folder, "url") };
    expect(refusal(both)).to.equal(
      "MILLRACE_SINK_A_URL and MILLRACE_SINK_A_URL_FILE name two databases. Keep one",
    );
  });

  it("knows its variables from others", () => {
    expect(sinkVariable("old_reports")).to.equal("MILLRACE_SINK_OLD_REPORTS_URL");
    const others = [
      "MILLRACE_SINK_URL",
      "MILLRACE_SINK_reports_URL",
      "MILLRACE_SINK_REPORTS",
      "MILLRACE_SINK__URL",
    ];
    for (const variable of others) expect(isSinkVariable(variable), variable).to.equal(false);
  });
});
