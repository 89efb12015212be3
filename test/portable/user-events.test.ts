/** The main pipeline on real job servers: killed and run again it leaves what the direct runner leaves. */
import { once } from "node:events";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { writeParityInput } from "../parity/parity-input.js";
import type { ParityResult } from "../parity/parity-result.js";
import { Stand } from "./stand.js";

const EVENTS = 20_000;
const SEED = 20_261_128;

/** Letters of refused rows take their time. */
const SLOW_LETTERS = `create function slow() returns trigger language plpgsql as $$ begin
    perform pg_sleep(2);
    return new;
  end $$;
  create trigger slow before insert on dead_letters for each row when (new.reason = 'rejected_by_database')
    execute function slow()`;

describe("user-events on job servers", () => {
  let folder: string;
  let input: string;
  let expected: ParityResult;
  const stands: Stand[] = [];
  const stand = async (refusing = true) => {
    const created = await Stand.create(refusing);
    stands.push(created);
    return created;
  };

  before(async function () {
    this.timeout(120_000);
    folder = await mkdtemp(join(tmpdir(), "millrace-user-events-input-"));
    input = join(folder, "raw");
    await writeParityInput(folder, EVENTS, SEED);
    const direct = await stand();
    await direct.succeed(input, ["--once"]);
    expected = await direct.result();
  });
  afterEach(async () => {
    for (const one of stands.splice(0)) await one.close();
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  for (const runner of ["prism", "spark", "flink"]) {
    it(`${runner}: killed in the midst of its rows, and run again`, async () => {
      const here = await stand();
      const first = here.start(input, ["--once", `--runner=${runner}`]);
      await here.untilRows(1);
      first.kill("SIGKILL");
      await once(first, "exit");
      await here.succeed(input, ["--once", `--runner=${runner}`]);
      expect(await here.result()).to.deep.equal(expected);
      await here.succeed(input, ["--once", `--runner=${runner}`]);
      expect(await here.result(), "a third run finds nothing new").to.deep.equal(expected);
    });
  }

  it("a run killed on Prism is finished there, not by the direct runner", async () => {
    const here = await stand();
    // Prism makes a stage of its own of the step that writes letters: killed in it, before what was refused is there
    await here.session.query(SLOW_LETTERS);
    const first = here.start(input, ["--once", "--runner=prism"]);
    await here.untilRows(expected.rows);
    first.kill("SIGKILL");
    await once(first, "exit");
    await here.session.query("drop trigger slow on dead_letters");
    const refused = await here.succeed(input, ["--once"]).then(String, (error: Error) => error.message);
    expect(refused).to.include("has a run on a job server that has not come to its end");
    await here.succeed(input, ["--once", "--runner=prism"]);
    await here.succeed(input, ["--once"]);
    expect(await here.result()).to.deep.equal(expected);
  });

  it("a stream on Flink: killed, started again, files added, drained", async () => {
    // an equal repeat of a row that the table refuses is dropped as a repeat in Flink's state: here it refuses none
    const direct = await stand(false);
    await direct.succeed(input, ["--once"]);
    const expected = await direct.result();
    const here = await stand(false);
    const watched = join(here.folder, "raw");
    await cp(input, watched, {
      recursive: true,
      preserveTimestamps: true,
      filter: (name) => !/[13579]\.csv$/.test(name),
    });
    const first = here.start(watched, ["--runner=flink"]);
    await here.untilRows(1);
    first.kill("SIGKILL");
    await once(first, "exit");
    const second = here.start(watched, ["--runner=flink"]);
    await cp(input, watched, { recursive: true, preserveTimestamps: true, force: false });
    await here.untilRows(expected.rows);
    second.kill("SIGINT");
    const [code] = await once(second, "exit");
    expect(code).to.equal(0);
    const { rows, letters, lettersChecksum, records, duplicates, conflicts } = await here.result();
    expect({ rows, letters, lettersChecksum, records, repeats: duplicates + conflicts }).to.deep.equal({
      ...{ rows: expected.rows, letters: expected.letters },
      ...{ lettersChecksum: expected.lettersChecksum, records: expected.records },
      repeats: expected.duplicates + expected.conflicts,
    });
  });
});
