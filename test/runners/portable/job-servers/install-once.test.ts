/** installOnce(): a folder that is there whole or not at all. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect } from "chai";
import { installOnce } from "../../../../runners/portable/job-servers/install-once.js";

describe("installOnce()", () => {
  let root: string;
  let folder: string;

  beforeEach(() => {
    root = mkdtempSync(path.join(tmpdir(), "millrace-install-"));
    folder = path.join(root, "server-1");
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const fillWith = (text: string) => async (empty: string) => {
    expect(readdirSync(empty)).to.deep.equal([]);
    writeFileSync(path.join(empty, "a.jar"), text);
    writeFileSync(path.join(empty, "b.jar"), text);
  };
  const never = () => Promise.reject(new Error("it was filled again"));
  const read = (name: string) => readFileSync(path.join(folder, name), "utf8");

  it("fills a folder once", async () => {
    expect(await installOnce(folder, fillWith("1"))).to.equal(folder);
    expect(await installOnce(folder, never)).to.equal(folder);
    expect([read("a.jar"), read("b.jar"), readdirSync(root)]).to.deep.equal(["1", "1", ["server-1"]]);
  });

  it("fills it anew when a file is missing, or the list of its files", async () => {
    for (const missing of ["a.jar", "contents.txt"]) {
      await installOnce(folder, fillWith("old"));
      rmSync(path.join(folder, missing));
      await installOnce(folder, fillWith(missing));
      expect([read("a.jar"), read("b.jar")]).to.deep.equal([missing, missing]);
      rmSync(folder, { recursive: true });
    }
  });

  it("two at once: both fill, the first to end wins, the other uses its folder, nothing is left over", async () => {
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const late = installOnce(folder, async (empty) => {
      await gate;
      await fillWith("late")(empty);
    });
    await installOnce(folder, fillWith("first"));
    go();
    expect(await late).to.equal(folder);
    expect([read("a.jar"), readdirSync(root)]).to.deep.equal(["first", ["server-1"]]);
  });

  it("a filling that fails leaves nothing, and the next one begins anew", async () => {
    const error = await installOnce(folder, async (empty) => {
      writeFileSync(path.join(empty, "a.jar"), "half");
      throw new Error("no network");
    }).catch((reason: Error) => reason.message);
    expect([error, readdirSync(root)]).to.deep.equal(["no network", []]);
    await installOnce(folder, fillWith("1"));
    expect(read("a.jar")).to.equal("1");
  });
});
