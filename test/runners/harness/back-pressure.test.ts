/** A worker of its own process whose runner reads nothing: what it keeps is bounded, however much it has to emit. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as later } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { UNSENT_BYTES_MAX } from "../../../runners/harness/bundle-outputs.js";
import { readDescriptor } from "../../../runners/harness/descriptor/stage-plan.js";
import { ByteReader } from "../../../transforms/primitives/coders/byte-reader.js";
import { encodedRows, enlargeStage } from "../../bench/harness-stage.js";
import { peakRss } from "../../bench/process-meter.js";
import { servedAt } from "./descriptor/descriptors.js";
import { FakeRunner } from "./support/fake-runner.js";

const WORKER = fileURLToPath(new URL("../../bench/harness-worker.js", import.meta.url));
const ROWS = 4_000;
const BYTES_PER_ROW = 100_000;
/** What gRPC and the sockets of both sides hold besides: windows, and messages of a megabyte under way. */
const TRANSPORT_BYTES_MAX = 32 << 20;
/** Of the worker's resident memory, garbage between collections included; it has 400 MB to emit, the last in 16 MiB. */
const RSS_GROWTH_MAX = 288e6;

describe("back-pressure of a worker", () => {
  it(`${ROWS} outputs of ${BYTES_PER_ROW} bytes for a runner that reads nothing stop at ${UNSENT_BYTES_MAX} bytes unsent, and all come when it reads`, async function () {
    this.timeout(180_000);
    const runner = await FakeRunner.start();
    const child = spawn(process.execPath, [WORKER, "harness", runner.endpoint], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    const ended = once(child, "exit");
    const stage = readDescriptor(runner.offer(servedAt(enlargeStage(BYTES_PER_ROW), runner.endpoint)));
    const { transformId } = [...stage.sources.values()][0]!;
    const answer = runner.begin("1", stage.id);
    await runner.pauseData();
    const rssBefore = peakRss(child.pid!) * 1e6;
    for (const data of [...encodedRows(stage, ROWS, 100_000), new Uint8Array()]) {
      await runner.send("1", { transformId, timerFamilyId: undefined, data, isLast: data.length === 0 });
    }
    const emitted = (await rowsWhenItStands(runner)) * BYTES_PER_ROW;
    expect(emitted).to.be.within(UNSENT_BYTES_MAX, UNSENT_BYTES_MAX + TRANSPORT_BYTES_MAX);
    await runner.readData();
    let bytes = 0;
    // taken off as it comes, or this process would hold it
    for (let isDone = false; !isDone; await later(5)) {
      for (const { data, isLast } of runner.received.get("1")?.splice(0) ?? []) {
        bytes += data.length;
        isDone ||= isLast;
      }
    }
    expect((await answer).error).to.equal("");
    expect(bytes).to.be.within(ROWS * BYTES_PER_ROW, ROWS * (BYTES_PER_ROW + 200));
    expect(peakRss(child.pid!) * 1e6 - rssBefore).to.be.lessThan(RSS_GROWTH_MAX);
    await runner.closeControl();
    await ended;
    runner.kill();
  });
});

/** What the bundle has emitted, once that is the same for ten answers: some, and then no more. */
async function rowsWhenItStands(runner: FakeRunner): Promise<number> {
  let rows = 0;
  for (let same = 0; same < 10; await later(100)) {
    const now = await rowsOf(runner);
    same = now === rows && now > 0 ? same + 1 : 0;
    rows = now;
  }
  return rows;
}

async function rowsOf(runner: FakeRunner): Promise<number> {
  const { response } = await runner.ask({
    oneofKind: "processBundleProgress",
    processBundleProgress: { instructionId: "1" },
  });
  if (response.oneofKind !== "processBundleProgress") throw new Error(`got ${response.oneofKind}`);
  const info = response.processBundleProgress.monitoringInfos.find(
    ({ urn, labels }) => urn === "beam:metric:element_count:v1" && labels["PCOLLECTION"] === "Keyed.main",
  );
  return info === undefined ? 0 : Number(new ByteReader(info.payload).varint());
}
