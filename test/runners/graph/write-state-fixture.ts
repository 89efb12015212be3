/**
 * Writes the fixture of today's state: once for each version of its format, never again. Of the commits, those with a
 * kind of record that none before has, and some on the way.
 */
import { writeFile } from "node:fs/promises";
import { STATE_FORMAT_VERSION } from "../../../runners/engine/durable/delta-format.js";
import { fixtureUrl, kindsOf, runFixture, type StoredMoment } from "../../support/state-fixture.js";

const MOMENTS = 8;

const moments: StoredMoment[] = [];
await runFixture(undefined, STATE_FORMAT_VERSION, (moment) => moments.push(moment));
const every = Math.ceil(moments.length / MOMENTS);
const known = new Set<string>();
const chosen = moments.filter((moment, place) => {
  const fresh = [...kindsOf(moment)].filter((kind) => !known.has(kind));
  for (const kind of fresh) known.add(kind);
  return fresh.length > 0 || place % every === 0;
});
await writeFile(fixtureUrl(STATE_FORMAT_VERSION), `${JSON.stringify(chosen, undefined, 1)}\n`);
