/** readPgpass(): libpq's rules for the password file. */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { findPassword, readPgpass } from "../../sql/connection/read-pgpass.js";

const target = { host: "db.example", port: 5432, database: "shop", user: "ann" };

describe("findPassword()", () => {
  const cases: [string, string, string | undefined][] = [
    ["an exact line", "db.example:5432:shop:ann:secret", "secret"],
    ["stars in every field", "*:*:*:*:secret", "secret"],
    ["the first line that matches", "*:*:other:*:no\n*:*:shop:*:one\n*:*:*:*:two", "one"],
    ["no line of another port", "db.example:5433:shop:ann:secret", undefined],
    ["comments and blank lines", "# *:*:*:*:no\n\n*:*:*:*:yes\n", "yes"],
    ["colons and backslashes when escaped", "*:*:*:*:a\\:b\\\\c", "a:b\\c"],
    ["what follows an unescaped colon as part of the password", "*:*:*:*:a:b", "a:b"],
    ["an empty password", "*:*:*:*:", ""],
    ["nothing of a line that is too short", "db.example:5432:shop", undefined],
    ["CRLF", "*:*:*:*:secret\r\n", "secret"],
    ["no star inside a name", "db.*:*:*:*:secret", undefined],
  ];
  for (const [what, text, password] of cases) {
    it(`takes ${what}`, () => expect(findPassword(text, target)).to.equal(password));
  }

  it("unescapes the fields it compares", () => {
    expect(findPassword("*:*:a\\:b:*:secret", { ...target, database: "a:b" })).to.equal("secret");
  });

  it("looks a socket folder up as localhost", () => {
    expect(findPassword("localhost:5432:*:*:secret", { ...target, host: "/tmp" })).to.equal("secret");
  });
});

describe("readPgpass()", () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "millrace-pgpass-"));
    path = join(folder, "pgpass");
    await writeFile(path, "*:*:*:*:secret\n", { mode: 0o600 });
  });
  afterEach(() => rm(folder, { recursive: true }));

  it("reads a file that only its owner may read", () => {
    expect(readPgpass(path, target)).to.deep.equal({ password: "secret", warning: undefined });
  });

  for (const mode of [0o640, 0o604, 0o660]) {
    it(`ignores mode ${mode.toString(8)} with a warning`, async () => {
      await chmod(path, mode);
      expect(readPgpass(path, target)).to.deep.equal({
        password: undefined,
        warning: `password file "${path}" has group or world access; its permissions should be u=rw (0600) or less: ignored`,
      });
    });
  }

  it("ignores a folder with a warning", () => {
    expect(readPgpass(folder, target).warning).to.equal(
      `password file "${folder}" is not a plain file: ignored`,
    );
  });

  it("says nothing of a missing file", () => {
    expect(readPgpass(join(folder, "none"), target)).to.deep.equal({
      password: undefined,
      warning: undefined,
    });
  });
});
