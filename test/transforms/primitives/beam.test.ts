/** The one import of apache-beam, as compiled. */
import { execFileSync } from "node:child_process";
import { expect } from "chai";

const beam = new URL("../../../transforms/primitives/beam.js", import.meta.url).href;

function run(script: string): string {
  return execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
}

describe("beam", () => {
  it("beam loads by itself, with every name as a value", () => {
    const names =
      "GeneralObjectCoder JobState_Enum MonitoringInfo P PCollection Pipeline PipelineResult Root Runner beam " +
      "createSdkRunner extractName flatten impulse runnerApi standardWindowFns withName";
    const out = run(`const beam = await import("${beam}"); console.log(Object.keys(beam).sort().join(" "));
      if (Object.values(beam).includes(undefined)) throw new Error("a name without a value");`);
    expect(out.trim()).to.equal(names);
  });

  it("beam loads where node:util has no isPrimitive, as on Node 24", () => {
    const out = run(`import util from "node:util"; delete util.isPrimitive;
      const { Pipeline } = await import("${beam}"); console.log(new Pipeline().getProto().rootTransformIds.length);`);
    expect(out.trim()).to.equal("0");
  });
});
