/** Runs the windowed pipeline in the database of MILLRACE_TEST_URL to its end: the process that the test kills. */
import { directRunner } from "millrace/runners";
import type { LocalStoreOptions, StateDurability } from "../../../runners/job/runner.js";
import { build, PIPELINE } from "./windowed-pipeline.js";

const connection = { connectionString: process.env["MILLRACE_TEST_URL"]! };
const { MILLRACE_TEST_STORE: directory, MILLRACE_TEST_DURABILITY: durability } = process.env;
const localStore: LocalStoreOptions | undefined =
  directory === undefined
    ? undefined
    : {
        ...{ directory, durability: durability as StateDurability },
        // Little, so that keys leave the memory, the store is written to, and a snapshot has many pieces.
        ...{ residentBytesMax: 4_000, waitingBytesMax: 40_000, snapshotEpochs: 20, pieceBytes: 2_000 },
      };
await directRunner({ connection, pipelineName: PIPELINE, ...(localStore && { localStore }) }).run(build);
