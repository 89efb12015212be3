/** A pipeline of upserts and deletes that is killed around its commits: the table is that of the greatest versions. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { SqlSession } from "../../sql/sql-session.js";
import { freshDatabase } from "../support/postgres.js";
import { Product } from "../support/product.js";
import { Choice, chooseSeed } from "../support/seeded-choice.js";
import type { ChangesProgram } from "./changes-program.js";

const PROGRAM = fileURLToPath(new URL("./changes-program.js", import.meta.url));
const FAILPOINTS = ["after-rows", "before-commit", "after-commit"] as const;
const CHANGES = 1_500;
const KEYS = 40;

interface Change {
  readonly operation: "upsert" | "delete";
  readonly key: string;
  readonly version: number;
}

describe("crash: upserts and deletes", function () {
  this.timeout(120_000);
  const seed = chooseSeed();
  const choice = new Choice(seed);

  for (const hasTombstones of [true, false]) {
    const how = hasTombstones ? "in any order, with tombstones" : "in the order of a key's versions";
    it(`killed at each failpoint, ${how}: what is left is the last of each key (MILLRACE_SEED=${seed})`, async () => {
      const database = await freshDatabase();
      const folder = await Product.create();
      const session = await SqlSession.connect({ connection: database.connection, applicationName: "test" });
      try {
        await session.query(`create table states (
          key text primary key, version bigint not null, gone boolean not null default false)`);
        const inOrder = Array.from({ length: CHANGES }, (_, version): Change => {
          const operation = choice.isHit(0.3) ? "delete" : "upsert";
          return { operation, key: `k${choice.between(1, KEYS)}`, version };
        });
        const changes = hasTombstones ? choice.shuffled(inOrder) : inOrder;
        const lines = changes.map(({ operation, key, version }) => `${operation},${key},${version}`);
        await writeFile(folder.input("changes.csv"), `operation,key,version\n${lines.join("\n")}\n`);
        const program = {
          ...{ directory: folder.path("data", "raw"), connection: database.connection, hasTombstones },
        };
        for (const name of choice.shuffled([...FAILPOINTS, ...FAILPOINTS])) {
          const failpoint = `${name}:${choice.between(1, 3)}`;
          expect(await run(program, failpoint), failpoint).to.deep.equal({ code: null, signal: "SIGKILL" });
        }
        const [mid] = await session.query<{ epoch: number }>("select epoch from pipelines");
        expect(mid!.epoch, "committed before the end").to.be.within(1, CHANGES / 50 - 1);
        expect(await run(program)).to.deep.equal({ code: 0, signal: null });
        const stored = await session.query<{ key: string; version: number; gone: boolean }>(
          "select key, version, gone from states",
        );
        expect(stored).to.have.deep.members(lastOf(inOrder, hasTombstones));
      } finally {
        await session.close();
        await folder.clear();
        await database.drop();
      }
    });
  }
});

async function run(program: ChangesProgram, failpoint?: string) {
  const env = failpoint === undefined ? {} : { MILLRACE_FAILPOINT: failpoint };
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify(program)], {
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const [code, signal] = await once(child, "close");
  return { code, signal };
}

function lastOf(inOrder: readonly Change[], hasTombstones: boolean) {
  const last = new Map(inOrder.map((change) => [change.key, change]));
  return [...last.values()]
    .filter(({ operation }) => hasTombstones || operation === "upsert")
    .map(({ key, version, operation }) => ({ key, version, gone: operation === "delete" }));
}
