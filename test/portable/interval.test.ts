/** `--interval` on real job servers: rounds of what is new, which leave what the direct runner leaves. */
import { once } from "node:events";
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { readStatus } from "../../sql/status.js";
import { writeParityInput } from "../parity/parity-input.js";
import type { ParityResult } from "../parity/parity-result.js";
import { Stand } from "./stand.js";

const EVENTS = 20_000;
const SEED = 20_261_129;
const INTERVAL_MS = 1_000;

describe("user-events --interval", () => {
  let folder: string;
  /** Contents of the input's files by name, each cut at a line's end somewhere in its midst. */
  let parts: { readonly name: string; readonly head: Buffer; readonly tail: Buffer }[];
  const stands: Stand[] = [];

  before(async function () {
    this.timeout(120_000);
    folder = await mkdtemp(join(tmpdir(), "millrace-interval-input-"));
    await writeParityInput(folder, EVENTS, SEED);
    parts = [];
    for (const name of (await readdir(join(folder, "raw"))).sort()) {
      const content = await readFile(join(folder, "raw", name));
      const cut = name.endsWith(".gz") ? content.length : content.indexOf("\n", content.length / 2) + 1;
      parts.push({ name, head: content.subarray(0, cut), tail: content.subarray(cut) });
    }
  });
  afterEach(async () => {
    for (const one of stands.splice(0)) await one.close();
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  for (const runner of ["prism", "spark"]) {
    it(`${runner}: files appear and grow, the client is killed and stopped`, async function () {
      this.timeout(240_000);
      const here = await Stand.create();
      stands.push(here);
      const watched = join(here.folder, "raw");
      await mkdir(watched);
      const flags = [`--runner=${runner}`, `--interval=${INTERVAL_MS}ms`, "--log-level=info"];
      const runs = async () => {
        const [row] = await here.session.query<{ runs: number }>(
          "select count(distinct run_id) as runs from commits",
        );
        return row!.runs;
      };

      const first = here.start(watched, flags);
      for (const { name, head } of parts) await writeFile(join(watched, name), head);
      await here.untilRows(1);
      first.kill("SIGKILL");
      await once(first, "exit");

      const second = here.start(watched, flags);
      let log = "";
      second.stderr!.on("data", (text) => (log += text));
      const read = parts.reduce((sum, { head }) => sum + head.length, 0);
      await here.untilRead(read);
      const before = await runs();
      await sleep(3 * INTERVAL_MS);
      expect(await runs(), "runs while nothing comes").to.equal(before);
      for (const { name, tail } of parts) await appendFile(join(watched, name), tail);
      await here.untilRead(parts.reduce((sum, { tail }) => sum + tail.length, read));
      second.kill("SIGINT");
      const [code] = await once(second, "exit");
      expect(code, log).to.equal(0);
      expect(log.match(new RegExp(`starting a ${runner} job server`, "g")), log).to.have.length(1);

      const direct = await Stand.create();
      stands.push(direct);
      await direct.succeed(watched, ["--once"]);
      // which value of an id came first differs: here the later half of each file came behind the others' first half
      expect(await here.result()).to.include(withoutOrder(await direct.result()));
      expect(await idsOf(here)).to.equal(await idsOf(direct));
      expect(await filesOf(here)).to.deep.equal(await filesOf(direct));
    });
  }
});

function withoutOrder({ rows, letters, lettersChecksum, ndjson, records }: ParityResult) {
  return { rows, letters, lettersChecksum, ndjson, records };
}

async function idsOf({ session }: Stand): Promise<string> {
  const [row] = await session.query<{ ids: string }>(
    "select md5(string_agg(event_id, '' order by event_id)) as ids from user_events",
  );
  return row!.ids;
}

/** What `npm run status` says of each file, but for what the order decides. */
async function filesOf({ session }: Stand) {
  const [status] = await readStatus(session);
  const files = status!.files.map(({ path, state, byte_offset, records_read, dead_letters }) => [
    path,
    { state, byte_offset, records_read, dead_letters },
  ]);
  return Object.fromEntries(files);
}
