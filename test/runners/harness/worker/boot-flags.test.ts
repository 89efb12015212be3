/** readBootFlags(): what a worker's container is started with. */
import { expect } from "chai";
import { BootFlagsError, readBootFlags } from "../../../../runners/harness/worker/boot-flags.js";

function problems(...argv: string[]): readonly string[] {
  try {
    readBootFlags(argv);
  } catch (error) {
    expect(error).to.be.instanceOf(BootFlagsError);
    return (error as BootFlagsError).problems;
  }
  return [];
}

describe("readBootFlags()", () => {
  it("takes what Java's runners give, and what Prism gives", () => {
    const java = ["--id=1-1", "--provision_endpoint=localhost:41", "--semi_persist_dir=/tmp"];
    const none = { controlEndpoint: undefined, loggingEndpoint: undefined, artifactEndpoint: undefined };
    expect(readBootFlags(java)).to.deep.equal({
      ...{ workerId: "1-1", provisionEndpoint: "localhost:41" },
      ...none,
    });
    const all = ["--id", "w", "--control_endpoint", "a:1", "--artifact_endpoint=b:2"];
    expect(readBootFlags([...all, "--provision_endpoint=[::1]:3", "--logging_endpoint=d:4"])).to.deep.equal({
      ...{ workerId: "w", provisionEndpoint: "[::1]:3", controlEndpoint: "a:1" },
      ...{ loggingEndpoint: "d:4", artifactEndpoint: "b:2" },
    });
  });

  it("tells all that is wrong", () => {
    expect(problems()).to.deep.equal(["--id is missing", "--provision_endpoint is missing"]);
    expect(problems("--id=", "--provision_endpoint=host:0", "--control_endpoint=http://a:1")).to.deep.equal([
      "--id needs a value",
      '--provision_endpoint must be host:port, got "host:0"',
      '--control_endpoint must be host:port, got "http://a:1"',
    ]);
    expect(
      problems("--id=1", "--id=2", "--provision_endpoint=a:1", "--logging_endpont=a:1", "here"),
    ).to.deep.equal([
      "--id is given twice",
      'there is no flag --logging_endpont. Did you mean "logging_endpoint"?',
      '"here" is no flag',
    ]);
  });
});
