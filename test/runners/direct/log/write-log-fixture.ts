/** Writes the commit log of today's format into the repository: once for each version, never again. */
import { STATE_FORMAT_VERSION } from "../../../../runners/engine/durable/delta-format.js";
import { readFixture } from "../../../support/state-fixture.js";
import { writeFixture } from "./log-fixture.js";

await writeFixture(await readFixture(STATE_FORMAT_VERSION));
