/**
 * What a worker costs beside the DoFns: bundles through a stage with encoded borders, over real gRPC, CPU and memory of
 * the worker's process alone. This process is the runner.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { performance } from "node:perf_hooks";
import { setTimeout as later } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { readDescriptor, type StagePlan } from "../../runners/harness/descriptor/stage-plan.js";
import { servedAt } from "../runners/harness/descriptor/descriptors.js";
import { FakeRunner } from "../runners/harness/support/fake-runner.js";
import { byProductStage, countElements, encodedRows, enlargeStage } from "./harness-stage.js";
import { peakRss, processCpuS } from "./process-meter.js";
import { printTable } from "./report.js";

const BUNDLE_ROWS = 100_000;
const WARM_UP_BUNDLES = 3;
const MESSAGE_BYTES = [10_000, 100_000, 1_000_000];
/** How long the runner of the memory case reads nothing. */
const DEAF_MS = 4_000;
const ENLARGED_BYTES = 100_000;

export interface HarnessResult {
  readonly messageBytes: number;
  readonly rows: number;
  readonly bytesPerRow: number;
  /** Of the worker; the limits: messages given back as they came, and rows coded without a runner. */
  readonly workerCpuS: number;
  readonly grpcCpuS: number;
  readonly codingCpuS: number;
  readonly peakRssMb: number;
}

export interface BackPressureResult {
  readonly emittedMb: number;
  /** Peak of the worker before the case, while the runner read nothing, and at the end. */
  readonly idleRssMb: number;
  readonly deafRssMb: number;
  readonly peakRssMb: number;
}

export interface HarnessResults {
  readonly stages: readonly HarnessResult[];
  readonly backPressure: BackPressureResult;
}

/** @param scale 1 for a million rows a case and 2 GB emitted, less for a quick look. */
export async function measureHarness(scale: number): Promise<HarnessResults> {
  const stages: HarnessResult[] = [];
  for (const messageBytes of MESSAGE_BYTES) stages.push(await measureStage(10 * scale, messageBytes));
  return { stages, backPressure: await measureBackPressure(Math.round(20_000 * scale)) };
}

export function printHarness({ stages, backPressure }: HarnessResults): void {
  const million = ({ rows }: HarnessResult, cpuS: number) => ((cpuS / rows) * 1e6).toFixed(2);
  printTable(
    "The SDK harness: a stage of one cheap step, CPU s of the worker a million rows",
    ["bytes a message", "worker", "bare gRPC", "bare coding", "worker / both", "rows a CPU s", "peak RSS MB"],
    stages.map((stage) => [
      String(stage.messageBytes),
      million(stage, stage.workerCpuS),
      million(stage, stage.grpcCpuS),
      million(stage, stage.codingCpuS),
      (stage.workerCpuS / (stage.grpcCpuS + stage.codingCpuS)).toFixed(2),
      String(Math.round(stage.rows / stage.workerCpuS)),
      stage.peakRssMb.toFixed(0),
    ]),
  );
  const { emittedMb, idleRssMb, deafRssMb, peakRssMb } = backPressure;
  console.log(
    `\n${emittedMb} MB emitted to a runner that reads nothing for ${DEAF_MS / 1000} s: peak RSS ` +
      `${idleRssMb.toFixed(0)} MB before, ${deafRssMb.toFixed(0)} MB after that time, ${peakRssMb.toFixed(0)} MB at the end`,
  );
}

async function measureStage(bundles: number, messageBytes: number): Promise<HarnessResult> {
  const worker = await measureBundles("harness", bundles, messageBytes);
  const grpc = await measureBundles("grpc", bundles, messageBytes);
  const args = [WORKER, "coding", BUNDLE_ROWS, bundles, messageBytes].map(String);
  const coding = JSON.parse(execFileSync(process.execPath, [...FLAGS, ...args], { encoding: "utf8" }));
  return {
    messageBytes,
    rows: bundles * BUNDLE_ROWS,
    bytesPerRow: worker.bytes / BUNDLE_ROWS,
    workerCpuS: worker.cpuS,
    grpcCpuS: grpc.cpuS,
    codingCpuS: coding.cpuS,
    peakRssMb: worker.peakRssMb,
  };
}

const WORKER = fileURLToPath(new URL("./harness-worker.js", import.meta.url));
/** As `npm run worker`. */
const FLAGS = ["--max-semi-space-size=32"];

async function measureBundles(mode: "harness" | "grpc", bundles: number, messageBytes: number) {
  await using run = await Run.start(mode);
  const { runner, pid } = run;
  const descriptor = runner.offer(servedAt(byProductStage(), runner.endpoint));
  const plan = readDescriptor(descriptor);
  const messages = encodedRows(plan, BUNDLE_ROWS, messageBytes);
  let cpuBeforeS = 0;
  for (let bundle = -WARM_UP_BUNDLES; bundle < bundles; bundle++) {
    if (bundle === 0) cpuBeforeS = processCpuS(pid);
    const id = `bundle ${bundle}`;
    const answer = mode === "harness" ? runner.begin(id, plan.id) : undefined;
    await send(runner, plan, id, messages);
    const outputs = await outputsOf(runner, id);
    const error = (await answer)?.error;
    if (error) throw new Error(`a bundle failed: ${error}`);
    // what is given back as it came is in the input's coder
    const count = mode === "harness" && bundle < 0 ? countElements(plan, outputs) : BUNDLE_ROWS;
    if (count !== BUNDLE_ROWS) throw new Error(`${count} of ${BUNDLE_ROWS} rows came back`);
  }
  const cpuS = processCpuS(pid) - cpuBeforeS;
  const bytes = messages.reduce((sum, { length }) => sum + length, 0);
  return { cpuS, bytes, peakRssMb: peakRss(pid) };
}

/** A worker whose outputs nobody takes for some seconds, and then somebody does. */
async function measureBackPressure(rows: number): Promise<BackPressureResult> {
  await using run = await Run.start("harness");
  const { runner, pid } = run;
  const plan = readDescriptor(runner.offer(servedAt(enlargeStage(ENLARGED_BYTES), runner.endpoint)));
  const id = "large";
  await later(500);
  const answer = runner.begin(id, plan.id);
  await runner.pauseData();
  const idleRssMb = peakRss(pid);
  const sent = send(runner, plan, id, encodedRows(plan, rows, 100_000));
  await later(DEAF_MS);
  const deafRssMb = peakRss(pid);
  await runner.readData();
  await sent;
  const startMs = performance.now();
  let bytes = 0;
  // taken off as it comes: this process's memory is not the one that is measured
  for (let isDone = false; !isDone; await later(5)) {
    for (const { data, isLast } of runner.received.get(id)?.splice(0) ?? []) {
      bytes += data.length;
      isDone ||= isLast;
    }
    if (performance.now() - startMs > 120_000) throw new Error(`only ${bytes} bytes came back`);
  }
  const { error } = await answer;
  if (error) throw new Error(`a bundle failed: ${error}`);
  if (bytes < rows * ENLARGED_BYTES) throw new Error(`${bytes} bytes of ${rows * ENLARGED_BYTES} came back`);
  return { emittedMb: Math.round(bytes / 1e6), idleRssMb, deafRssMb, peakRssMb: peakRss(pid) };
}

async function send(runner: FakeRunner, plan: StagePlan, id: string, messages: readonly Uint8Array[]) {
  const { transformId } = [...plan.sources.values()][0]!;
  const chunk = (data: Uint8Array, isLast: boolean) => ({
    transformId,
    timerFamilyId: undefined,
    data,
    isLast,
  });
  for (const message of messages) await runner.send(id, chunk(message, false));
  await runner.send(id, chunk(new Uint8Array(), true));
}

async function outputsOf(runner: FakeRunner, id: string): Promise<Uint8Array[]> {
  while (!runner.received.get(id)?.at(-1)?.isLast) await later(1);
  const chunks = runner.received.get(id)!;
  runner.received.delete(id);
  return chunks.map(({ data }) => data);
}

/** A runner in this process and a process that it feeds. */
class Run implements AsyncDisposable {
  private constructor(
    readonly runner: FakeRunner,
    readonly pid: number,
    private readonly whenEnded: Promise<unknown>,
  ) {}

  static async start(mode: "harness" | "grpc"): Promise<Run> {
    const runner = await FakeRunner.start();
    const child = spawn(process.execPath, [...FLAGS, WORKER, mode, runner.endpoint], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    return new Run(runner, child.pid!, once(child, "exit"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.runner.closeControl();
    await this.whenEnded;
    this.runner.kill();
  }
}
