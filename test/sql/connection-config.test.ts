/** resolveConnection(): libpq's order, files and TLS modes, and no secret in anything printed. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { expect } from "chai";
import {
  ConnectionConfigError,
  describeConnection,
  environmentNamesDatabase,
  holdsPassword,
  resolveConnection,
} from "../../sql/connection-config.js";

let home: string;
const noTls = async () => false;
const resolve = (url: string | undefined, env: Record<string, string> = {}) =>
  resolveConnection({ url, env, home, offersTls: noTls });
const passwordOf = async (url: string | undefined, env: Record<string, string> = {}) =>
  ((await resolve(url, env)).connection.password as () => string)();
const refusal = async (url: string | undefined, env: Record<string, string> = {}) => {
  const error = await resolve(url, env).then(
    () => undefined,
    (thrown) => thrown,
  );
  expect(error).to.be.instanceOf(ConnectionConfigError);
  return (error as Error).message;
};

/** Hooks of the block that calls it. */
function useHome(): void {
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "millrace-home-"));
  });
  after(() => rm(home, { recursive: true }));
}

describe("resolveConnection()", () => {
  useHome();

  it("reads a URL with everything in it", async () => {
    const { connection } = await resolve(
      "postgresql://an%6e:p%40ss@db.example:6000/sh%6fp?sslmode=disable&options=-c%20a%3Db",
    );
    expect(connection).to.include({
      host: "db.example",
      port: 6000,
      user: "ann",
      database: "shop",
      ssl: false,
      options: "-c a=b",
    });
    expect((connection.password as () => string)()).to.equal("p@ss");
  });

  it("reads keyword/value pairs", async () => {
    const { connection } = await resolve(
      "host=db.example port=6000 dbname='my shop' user=ann password='it\\'s'",
    );
    expect(connection).to.include({ host: "db.example", port: 6000, database: "my shop", user: "ann" });
    expect((connection.password as () => string)()).to.equal("it's");
  });

  it("reads IPv6 and socket folders", async () => {
    expect((await resolve("postgres://ann@[::1]:6000/shop")).connection).to.include({
      host: "::1",
      port: 6000,
    });
    expect((await resolve("postgres://ann@%2Ftmp/shop")).connection).to.include({ host: "/tmp", ssl: false });
  });

  it("fills from PG* what the URL leaves out, and no more", async () => {
    const env = { PGHOST: "other", PGPORT: "6001", PGUSER: "bob", PGPASSWORD: "from-env-1" };
    const { connection } = await resolve("postgres://db.example/shop", env);
    expect(connection).to.include({ host: "db.example", port: 6001, user: "bob", database: "shop" });
    expect(await passwordOf("postgres://db.example/shop", env)).to.equal("from-env-1");
  });

  it("takes the user's name as database", async () => {
    expect((await resolve(undefined, { PGHOST: "db.example", PGUSER: "bob" })).connection.database).to.equal(
      "bob",
    );
  });

  it("puts a service between the URL and PG*", async () => {
    await writeFile(
      join(home, ".pg_service.conf"),
      "[other]\nhost=no\n# shop\n[shop]\nhost=svc.example\nport=6002\n\n[more]\nport=1\n",
    );
    const env = { PGSERVICE: "shop", PGHOST: "env.example", PGUSER: "bob" };
    expect((await resolve(undefined, env)).connection).to.include({
      host: "svc.example",
      port: 6002,
      user: "bob",
    });
    expect((await resolve("postgres://ann@/x?service=shop", {})).connection).to.include({
      host: "svc.example",
      user: "ann",
    });
    expect(await refusal("postgres://ann@/x?service=none")).to.equal(
      `no service "none" in ${home}/.pg_service.conf`,
    );
  });

  it("finds the password: URL, PGPASSWORD, PGPASSWORD_FILE, PGPASSFILE, ~/.pgpass", async () => {
    await writeFile(join(home, ".pgpass"), "*:*:*:*:from-home\n", { mode: 0o600 });
    await writeFile(join(home, "passfile"), "*:*:*:*:from-passfile\n", { mode: 0o600 });
    await writeFile(join(home, "secret"), "from-file\n", { mode: 0o600 });
    const url = "postgres://ann@db.example/shop";
    expect(await passwordOf(url)).to.equal("from-home");
    expect(await passwordOf(url, { PGPASSFILE: join(home, "passfile") })).to.equal("from-passfile");
    const both = { PGPASSWORD_FILE: join(home, "secret"), PGPASSFILE: join(home, "passfile") };
    expect(await passwordOf(url, both)).to.equal("from-file");
    expect(await passwordOf(url, { ...both, PGPASSWORD: "from-env-2" })).to.equal("from-env-2");
    await rm(join(home, ".pgpass"));
  });

  it("says what to do when the server asks for a password that nobody gave", async () => {
    const { connection } = await resolve("postgres://ann@db.example/shop");
    expect(() => (connection.password as () => string)())
      .to.throw(
        "the server asks for a password and none is given for db.example:5432/shop as ann: " +
          "use DATABASE_URL, DATABASE_URL_FILE, PGPASSWORD, PGPASSWORD_FILE or ~/.pgpass",
      )
      .with.property("code", "28P01");
  });

  it("passes the warning of an open password file on", async () => {
    const path = join(home, "open");
    await writeFile(path, "*:*:*:*:x\n", { mode: 0o644 });
    expect((await resolve("postgres://ann@db.example/shop", { PGPASSFILE: path })).warnings).to.have.length(
      1,
    );
  });
});

describe("resolveConnection() and sslmode", () => {
  useHome();

  const tls = async (query: string, offered: boolean) =>
    (
      await resolveConnection({
        url: `postgres://ann@db.example/shop?${query}`,
        env: {},
        home,
        offersTls: async () => offered,
      })
    ).connection.ssl;

  it("encrypts under prefer (the default) when the server offers it", async () => {
    expect(await tls("", true)).to.deep.equal({ servername: "db.example", rejectUnauthorized: false });
    expect(await tls("", false)).to.equal(false);
    expect(await tls("sslmode=allow", true)).to.deep.equal({
      servername: "db.example",
      rejectUnauthorized: false,
    });
  });

  it("never falls back to plain text from require on", async () => {
    expect(await tls("sslmode=require", false)).to.deep.equal({
      servername: "db.example",
      rejectUnauthorized: false,
    });
    expect(await tls("ssl=true", false)).to.deep.equal({
      servername: "db.example",
      rejectUnauthorized: false,
    });
  });

  it("checks the certificate under verify-ca, the name as well under verify-full", async () => {
    const ca = join(home, "ca.crt");
    await writeFile(ca, "CA");
    const verifyCa = await tls(`sslmode=verify-ca&sslrootcert=${ca}`, true);
    expect(verifyCa).to.include({ rejectUnauthorized: true }).and.to.have.property("checkServerIdentity");
    const require = await tls(`sslmode=require&sslrootcert=${ca}`, true);
    expect(require).to.include({ rejectUnauthorized: true }).and.to.have.property("checkServerIdentity");
    const verifyFull = await tls(`sslmode=verify-full&sslrootcert=${ca}`, true);
    expect(verifyFull).to.deep.equal({
      servername: "db.example",
      ca: Buffer.from("CA"),
      rejectUnauthorized: true,
    });
    expect(await tls("sslrootcert=system", true)).to.deep.equal({
      servername: "db.example",
      rejectUnauthorized: true,
    });
  });

  it("checks an address against the certificate as an address", async () => {
    const { connection } = await resolve("postgres://ann@127.0.0.1/shop?sslrootcert=system");
    expect(connection.ssl).to.deep.equal({ host: "127.0.0.1", rejectUnauthorized: true });
  });

  it("keeps a client's key out of what can be printed, and refuses one that others may read", async () => {
    const [cert, key, open] = ["c.crt", "c.key", "o.key"].map((name) => join(home, name)) as [
      string,
      string,
      string,
    ];
    await writeFile(cert, "CERT");
    await writeFile(key, "KEY", { mode: 0o600 });
    await writeFile(open, "KEY", { mode: 0o644 });
    const ssl = (await tls(`sslmode=require&sslcert=${cert}&sslkey=${key}`, true)) as { key: Buffer };
    expect(String(ssl.key)).to.equal("KEY");
    expect(Object.keys(ssl)).to.not.include("key");
    expect(await refusal(`postgres://ann@db.example/shop?sslcert=${cert}&sslkey=${open}`)).to.equal(
      `sslkey "${open}" has group or world access; its permissions should be u=rw (0600) or less`,
    );
  });
});

describe("resolveConnection() refuses without showing secrets", () => {
  useHome();

  const cases: [string, string, string][] = [
    [
      "an unknown mode",
      "postgres://a:canary-1@h/d?sslmode=requir",
      'sslmode must be one of disable, allow, prefer, require, verify-ca, verify-full, got "requir"',
    ],
    [
      "verify-full without a root",
      "postgres://a:canary-1@h/d?sslmode=verify-full",
      "sslmode=verify-full needs a root certificate: set sslrootcert",
    ],
    [
      "a bad port",
      "postgres://a:canary-1@h:99999/d",
      'port must be a whole number from 1 to 65535, got "99999"',
    ],
    [
      "several hosts",
      "postgres://a:canary-1@h1,h2/d",
      "several hosts in one URL are not supported: name the primary",
    ],
    ["broken encoding", "postgres://a:canary-1%zz@h/d", "has a broken percent-encoding in its password"],
    [
      "no URL at all",
      "canary-1",
      "is neither a PostgreSQL URL like postgres://user@host:5432/database nor host=… dbname=… pairs",
    ],
  ];
  for (const [what, url, message] of cases) {
    it(what, async () => expect(await refusal(url)).to.equal(message));
  }

  it("an unknown parameter", async () => {
    expect(await refusal("postgres://a:canary-1@h/d?sslmod=require")).to.match(
      /^unknown connection parameter "sslmod" \(known: dbname, host, hostaddr, .*\)$/,
    );
  });
});

describe("describeConnection()", () => {
  useHome();

  it("names host, port, database and user", async () => {
    expect(
      describeConnection((await resolve("postgres://ann:canary-2@db.example/shop")).connection),
    ).to.equal("db.example:5432/shop as ann");
    expect(describeConnection((await resolve("postgres://ann@[::1]/shop")).connection)).to.equal(
      "[::1]:5432/shop as ann",
    );
    expect(describeConnection({ connectionString: "postgres://ann:canary-2@h:1/d" })).to.equal(
      "h:1/d as ann",
    );
  });

  it("lets a whole connection be printed in any way", async () => {
    const { connection } = await resolve("postgres://ann:canary-2-sits-here@db.example/shop");
    expect(
      `${JSON.stringify(connection)}${inspect(connection, { depth: 9, showHidden: true })}`,
    ).to.not.include("canary");
  });
});

describe("environmentNamesDatabase() and holdsPassword()", () => {
  useHome();

  it("takes a host, port, database or service for a name, not a user or password", () => {
    for (const name of ["PGHOST", "PGPORT", "PGDATABASE", "PGSERVICE"])
      expect(environmentNamesDatabase({ [name]: "1" }), name).to.equal(true);
    expect(
      environmentNamesDatabase({ PGUSER: "a", PGPASSWORD: "b", PGSSLMODE: "require", PGHOST: "" }),
    ).to.equal(false);
  });

  it("sees a password in a URL, in a pair, and in a parameter", () => {
    expect(
      ["postgres://a:b@h/d", "host=h password=b", "postgres://a@h/d?password=b"].map(holdsPassword),
    ).to.deep.equal([true, true, true]);
    expect(["postgres://a@h/d", "nonsense"].map(holdsPassword)).to.deep.equal([false, false]);
  });
});
