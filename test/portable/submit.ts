/**
 * A program that submits a pipeline and ends with it: exit code 0 when the job is DONE, else 1; its only line says the
 * state and why. SIGTERM cancels the job.
 */
import { type PortableRunnerOptions, portableRunner } from "../../runners/portable/portable-runner.js";
import { impulse, JobState_Enum, P, type Root, withName } from "../../transforms/primitives/beam.js";
import { registeredParDo } from "../../transforms/primitives/par-do.js";
import { reshuffle } from "../../transforms/primitives/reshuffle.js";
import { COLLECT, FAN_OUT, STUCK_ONCE } from "./torture-fns.js";

export interface Submission {
  readonly runner: PortableRunnerOptions;
  /** Where the step that is stuck the first time writes its process ids. */
  readonly stuckFile: string;
  readonly isLoop: boolean;
  /** Where the elements are written. */
  readonly outputFile: string;
  readonly count: number;
}

export interface Outcome {
  readonly state: string;
  /** Name and message; absent when nothing failed. */
  readonly error?: readonly [name: string, message: string];
}

const { runner, stuckFile, isLoop, outputFile, count } = JSON.parse(process.argv[2]!) as Submission;

function build(root: Root): void {
  const start = root.apply(withName("Impulse", impulse()));
  const stuck = start.apply(
    withName("Stuck", registeredParDo<unknown, unknown>(STUCK_ONCE, { file: stuckFile, isLoop })),
  );
  const all = stuck.apply(
    withName("Fan out", registeredParDo<unknown, string>(FAN_OUT, { count, bytes: 20 })),
  );
  const shuffled = P(all).apply(withName("Reshuffle", reshuffle<string>()));
  shuffled.apply(withName("Collect", registeredParDo<string, unknown>(COLLECT, outputFile)));
}

async function submit(): Promise<Outcome> {
  try {
    const result = await portableRunner(runner).runAsync(build);
    process.once(
      "SIGTERM",
      () => void result.cancel().catch((error: Error) => process.stderr.write(`${error}\n`)),
    );
    const state = JobState_Enum[await result.waitUntilFinish()]!;
    const { failure } = result;
    return { state, ...(failure && { error: [failure.name, failure.message] as const }) };
  } catch (error) {
    const { name, message } = error as Error;
    return { state: "UNKNOWN", error: [name, message] };
  }
}

const outcome = await submit();
process.stdout.write(`${JSON.stringify(outcome)}\n`);
process.exitCode = outcome.state === "DONE" ? 0 : 1;
