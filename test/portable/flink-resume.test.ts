/** A stream of the main pipeline on a cluster of Flink: drained into a savepoint, and gone on from it. */
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import {
  type RunningJobServer,
  startJobServer,
} from "../../runners/portable/job-servers/start-job-server.js";
import { writeParityInput } from "../parity/parity-input.js";
import { FlinkCluster, type JobConfig } from "./flink-cluster.js";
import { Stand } from "./stand.js";
import { KeptLog } from "./targets.js";

const EVENTS = 20_000;
const SEED = 20_261_130;

const STRATEGY =
  "Failure rate restart with maximum of 4 failures within interval 300000 ms and fixed delay 1000 ms.";

interface Checkpoints {
  readonly latest: {
    readonly restored: { readonly is_savepoint: boolean; readonly external_path: string } | null;
  };
}

describe("user-events as a stream on a cluster of Flink", () => {
  let folder: string;
  let cluster: FlinkCluster;
  let server: RunningJobServer;
  const stands: Stand[] = [];

  before(async function () {
    this.timeout(180_000);
    folder = await mkdtemp(join(tmpdir(), "millrace-flink-resume-"));
    await writeParityInput(folder, EVENTS, SEED);
    cluster = await FlinkCluster.start();
    server = await startJobServer("flink", { port: 0, master: cluster.rest, log: new KeptLog() });
  });
  after(async () => {
    for (const one of stands) await one.close();
    await server?.stop();
    await cluster?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function stand(): Promise<Stand> {
    const created = await Stand.create(false);
    stands.push(created);
    return created;
  }

  /** As Flink tells it of the job that runs. */
  async function restartStrategy(): Promise<string> {
    const { jid } = await cluster.running();
    const config = await cluster.get<JobConfig>(`/jobs/${jid}/config`);
    return config["execution-config"]["restart-strategy"];
  }

  it("leaves a savepoint, refuses it for a changed graph, goes on from it, and has a restart strategy", async function () {
    this.timeout(240_000);
    const input = join(folder, "raw");
    const direct = await stand();
    await direct.succeed(input, ["--once"]);
    const expected = await direct.result();

    const here = await stand();
    const watched = join(here.folder, "raw");
    const savepoints = join(here.folder, "savepoints");
    await mkdir(savepoints);
    const isEarly = (name: string) => !/[13579]\.csv$/.test(name);
    await cp(input, watched, { recursive: true, preserveTimestamps: true, filter: isEarly });
    const flags = [
      ...["--runner=flink", `--job-endpoint=${server.endpoint}`, `--flink-rest=${cluster.rest}`],
      `--savepoint-dir=${savepoints}`,
    ];
    const retries = { number_of_execution_retries: 7, execution_retry_delay: 2_000 };
    const first = here.start(watched, [...flags, `--job-options=${JSON.stringify(retries)}`]);
    await here.untilRows(1);
    // Beam's options count only where the job server's own configuration names no strategy
    expect(await restartStrategy()).to.equal(STRATEGY);
    first.kill("SIGINT");
    expect(await once(first, "exit")).to.deep.equal([0, null]);
    const [name, ...others] = await readdir(savepoints);
    expect(others).to.deep.equal([]);
    const savepoint = join(savepoints, name!);

    const changed = here.start(watched, [...flags, `--from-savepoint=${savepoint}`, "--quiet-ms=50"]);
    let refusal = "";
    changed.stderr!.on("data", (text) => (refusal += text));
    expect(await once(changed, "exit")).to.deep.equal([1, null]);
    expect(refusal).to.include("step ReadEvents/WatchDirectory: its quietMs is 50, was 100");

    await cp(input, watched, { recursive: true, preserveTimestamps: true, force: false });
    const second = here.start(watched, [...flags, `--from-savepoint=${savepoint}`]);
    await here.untilRead(await bytesIn(watched));
    const { jid } = await cluster.running();
    const { latest } = await cluster.get<Checkpoints>(`/jobs/${jid}/checkpoints`);
    expect(latest.restored).to.include({ is_savepoint: true });
    expect(latest.restored!.external_path).to.include(name);
    expect(await restartStrategy()).to.equal(STRATEGY);
    second.kill("SIGINT");
    expect(await once(second, "exit")).to.deep.equal([0, null]);

    const { rows, letters, lettersChecksum, records } = await here.result();
    expect({ rows, letters, lettersChecksum, records }).to.deep.equal({
      ...{ rows: expected.rows, letters: expected.letters },
      ...{ lettersChecksum: expected.lettersChecksum, records: expected.records },
    });
  });
});

async function bytesIn(directory: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(directory)) bytes += (await stat(join(directory, name))).size;
  return bytes;
}
