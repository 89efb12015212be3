/** openEmbeddedPostgres() as root, and for ordinary users beside root. */
import { execFile } from "node:child_process";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { isRoot } from "../../sql/embedded/server-account.js";
import { ask, EmbeddedCommands, failureOf } from "../support/embedded-commands.js";

if (isRoot()) {
  describe("openEmbeddedPostgres() as root", () => {
    let commands: EmbeddedCommands;
    before(async () => {
      commands = await EmbeddedCommands.create();
    });
    after(() => commands.clear());

    it("runs the server as an account that cannot do harm", async () => {
      const stateDir = await commands.stateDir();
      const database = await commands.open(stateDir);
      expect(database.dataDir).to.equal(join(stateDir, "postgres", "data"));
      const { uid } = await stat(`/proc/${await commands.serverPid(stateDir)}`);
      expect(uid).to.not.equal(0);
      expect((await stat(database.dataDir)).uid).to.equal(uid);
      await database.close();
    });

    it("keeps the data out of a folder 0700, says so, and finds them again", async () => {
      const stateDir = await commands.stateDir({ parentMode: 0o700 });
      const messages: string[] = [];
      const first = await commands.open(stateDir, { log: (message) => messages.push(message) });
      await ask(first.connection, "create table kept as select 7 as n");
      await first.close();
      const [system] = commands.reachableDirs;
      expect(first.dataDir).to.match(new RegExp(`^${system}/data-[0-9a-f]{12}-[0-9a-f]{8}$`));
      expect(messages[0]).to.match(new RegExp(`^PostgreSQL's data go to ${first.dataDir}, because `));
      messages.length = 0;
      const second = await commands.open(stateDir, { log: (message) => messages.push(message) });
      expect(second.dataDir).to.equal(first.dataDir);
      expect(await ask(second.connection, "select n from kept")).to.deep.equal([{ n: 7 }]);
      expect(messages).to.have.length(1);
      await second.close();
    });

    it("refuses a copy of a state folder whose data are elsewhere", async () => {
      const stateDir = await commands.stateDir({ parentMode: 0o700 });
      await (await commands.open(stateDir)).close();
      await promisify(execFile)("cp", ["-a", stateDir, `${stateDir}-copy`]);
      const error = await failureOf(commands.open(`${stateDir}-copy`));
      expect(error.code).to.equal("state_invalid");
      expect(error.message).to.contain(`is a copy of ${join(stateDir, "postgres")}`);
    });

    it("begins anew when the state folder was removed, and names what is left", async () => {
      const stateDir = await commands.stateDir({ parentMode: 0o700 });
      const first = await commands.open(stateDir);
      await first.close();
      await rm(stateDir, { recursive: true });
      const messages: string[] = [];
      const second = await commands.open(stateDir, { log: (message) => messages.push(message) });
      expect(second.dataDir).not.to.equal(first.dataDir);
      expect(messages[0]).to.equal(
        `data of an earlier ${join(stateDir, "postgres")} are left in ${first.dataDir}`,
      );
      await second.close();
    });

    it("serves an ordinary user, who runs the server himself", async () => {
      const stateDir = await commands.stateDir({ parentMode: 0o777 });
      const holder = commands.hold(join(stateDir, "..", "..", ".millrace"), { uid: 65_534 });
      const { dataDir } = await holder.line("open");
      expect((await stat(dataDir)).uid).to.equal(65_534);
      await holder.leave();
      const next = await commands.open(join(dataDir, "..", ".."));
      expect((await stat(`/proc/${await commands.serverPid(join(dataDir, "..", ".."))}`)).uid).to.equal(
        65_534,
      );
      expect((await stat(next.pgpassFile)).uid).to.equal(65_534);
      await next.close();
    });

    it("tells an ordinary user that the state folder is root's", async () => {
      const stateDir = await commands.stateDir();
      await (await commands.open(stateDir)).close();
      const { code } = await commands.hold(stateDir, { uid: 65_534 }).line("error");
      expect(code).to.equal("state_folder_unusable");
    });
  });
}
