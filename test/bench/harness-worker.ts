/**
 * A process of the harness benchmark, so that its CPU and memory are its own: `node harness-worker.js harness ENDPOINT`
 * is a worker, `… grpc ENDPOINT` gives each message back as it came, `… coding ROWS BUNDLES MESSAGE_BYTES` has no runner
 * and prints its CPU seconds. The first two end with the runner's streams.
 */
import "../../transforms/primitives/beam.js";
import { credentials, Metadata } from "@grpc/grpc-js";
import type { Elements } from "apache-beam/proto/beam_fn_api";
import { BeamFnControlClient, BeamFnDataClient } from "apache-beam/proto/beam_fn_api.grpc-client";
import { readDescriptor } from "../../runners/harness/descriptor/stage-plan.js";
import { startHarness } from "../../runners/harness/harness.js";
import { byProductStage, encodedRows, recode } from "./harness-stage.js";

async function runHarness(endpoint: string): Promise<void> {
  const harness = startHarness({ workerId: "bench", controlEndpoint: endpoint, loggingEndpoint: endpoint });
  await harness.whenDone;
}

/** As a worker of one stage without any coding: it answers the control stream's end with its own. */
async function giveBack(endpoint: string): Promise<void> {
  const options = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };
  const client = new BeamFnDataClient(endpoint, credentials.createInsecure(), options);
  const stream = client.data(new Metadata());
  stream.on("data", (elements: Elements) => {
    if (!stream.write(elements)) {
      stream.pause();
      stream.once("drain", () => stream.resume());
    }
  });
  const control = new BeamFnControlClient(endpoint, credentials.createInsecure()).control(new Metadata());
  control.on("data", () => undefined);
  await new Promise<void>((resolve) => {
    control.on("end", resolve);
    control.on("error", () => resolve());
    stream.on("error", () => resolve());
  });
  process.exit();
}

function code(rows: number, bundles: number, messageBytes: number): void {
  const plan = readDescriptor(byProductStage());
  const messages = encodedRows(plan, rows, messageBytes);
  for (let warmUp = 0; warmUp < WARM_UP_BUNDLES; warmUp++) recode(plan, messages);
  const before = process.cpuUsage();
  for (let bundle = 0; bundle < bundles; bundle++) recode(plan, messages);
  const { user, system } = process.cpuUsage(before);
  console.log(JSON.stringify({ cpuS: (user + system) / 1e6 }));
}

const WARM_UP_BUNDLES = 3;

const [mode, ...args] = process.argv.slice(2);
if (mode === "harness") await runHarness(args[0]!);
else if (mode === "grpc") await giveBack(args[0]!);
else if (mode === "coding") code(Number(args[0]), Number(args[1]), Number(args[2]));
else throw new Error(`a process is harness, grpc or coding, got ${mode}`);
