/** Stands for Prism: `node fake-prism.js --job_port=PORT …` serves a job service until it is killed. */
import { FakeJobService } from "../fake-job-service.js";

const port = process.argv.find((arg) => arg.startsWith("--job_port="))!.slice("--job_port=".length);
await FakeJobService.start(Number(port));
