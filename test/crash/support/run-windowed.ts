/** Runs the windowed pipeline in the database of MILLRACE_TEST_URL to its end: the process that the test kills. */
import { directRunner } from "millrace/runners";
import { build, PIPELINE } from "./windowed-pipeline.js";

const connection = { connectionString: process.env["MILLRACE_TEST_URL"]! };
await directRunner({ connection, pipelineName: PIPELINE }).run(build);
