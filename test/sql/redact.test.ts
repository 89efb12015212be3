/** redact(): passwords go, names stay. */
import { expect } from "chai";
import { resolveConnection } from "../../sql/connection-config.js";
import { redact } from "../../sql/redact.js";

const resolve = (url: string) =>
  resolveConnection({ url, env: {}, home: "/nonexistent", offersTls: async () => false });

describe("redact()", () => {
  it("takes passwords out of URLs and pairs that were never resolved", () => {
    expect(redact("to postgres://ann:hunter2@db/x?a=b failed")).to.equal(
      "to postgres://ann:***@db/x?a=b failed",
    );
    expect(redact("postgres://ann:p@ss@db/x")).to.equal("postgres://ann:***@db/x");
    expect(redact("host=a password=hunter2 user=b")).to.equal("host=a password=*** user=b");
    expect(redact("password='it\\'s' x")).to.equal("password='***' x");
    expect(redact('{"password":"hunter2"}')).to.equal('{"password":"***"}');
    expect(redact('{"a":"{\\"password\\":\\"hunter2\\"}"}')).to.equal('{"a":"{\\"password\\":\\"***\\"}"}');
    expect(redact('{"url":"db?password=hunter2"}')).to.equal('{"url":"db?password=***"}');
    expect(redact('password authentication failed for user "ann"')).to.equal(
      'password authentication failed for user "ann"',
    );
  });

  it("knows a resolved password wherever it stands, also in a URL's spelling", async () => {
    await resolve("postgres://ann:canary%2F3@db.example/shop");
    expect(redact("x canary/3 y canary%2F3")).to.equal("x *** y ***");
  });

  it("leaves names alone that are no secret", async () => {
    await resolve("postgres://postgres:postgres@db.example/postgres");
    expect(redact("db.example:5432/postgres as postgres")).to.equal("db.example:5432/postgres as postgres");
  });
});
