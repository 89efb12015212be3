/** Whole runs over a folder: generated events by their manifest, and finished files that leave it. */

import { readdir, readFile, writeFile } from "node:fs/promises";
import { expect } from "chai";
import type { Manifest } from "../../data/generate/manifest.js";
import { jsonLines, until } from "../support/product.js";
import { HEADER } from "./expected-file.js";
import { product, session, useFreshProduct } from "./fresh-product.js";
import { event } from "./troubled-input.js";

describe("generate, then pipeline", () => {
  useFreshProduct();

  it("writes what the manifest calls unique, drops its duplicates, parts with its malformed records", async () => {
    const rates = ["--malformed-rate=0.05", "--duplicate-rate=0.1"];
    const amount = ["--as-fast-as-possible", "--events=20000", "--rows-per-file=3000"];
    const generate = await product.succeed(["generate", ...amount, ...rates, "--manifest=manifest.json"]);
    const manifest = JSON.parse(await readFile(product.path("manifest.json"), "utf8")) as Manifest;
    expect(manifest).to.include({ complete: true, rows: 20_000, files: 7 });
    expect(generate.stdout).to.match(/^generated 20,000 events in 7 files in data\/raw, /);

    await product.succeed(["pipeline", "--once"]);
    const [status] = await product.status();
    expect(status).to.deep.include({
      files_read: manifest.files,
      records_read: manifest.rows,
      events_written: manifest.unique,
      duplicates: manifest.duplicate,
      conflicts: 0,
      dead_letters: manifest.malformed_by_reason,
    });
    const [table] = await session.query(
      "select count(*) as rows, count(distinct event_id) as ids, (select count(*) from dead_letters) as letters from user_events",
    );
    const { unique, malformed } = manifest;
    expect(table).to.deep.equal({ rows: unique, ids: unique, letters: malformed });

    const lines = jsonLines(await readFile(product.path("logs", "generator_metrics.log"), "utf8"));
    const names = ["name", "runId", "timestamp", "batchId", "batchDuration", "numInputRows"];
    for (const line of lines) {
      expect(line).to.include.all.keys(...names, "inputRowsPerSecond", "processedRowsPerSecond");
    }
    expect(lines.reduce((sum, line) => sum + (line["numInputRows"] as number), 0)).to.equal(manifest.rows);
  });

  it("keeps pace with a generator that runs beside it", async () => {
    const command = product.start(["pipeline"]);
    const pace = ["--events-per-second=500", "--duration=2", "--manifest=manifest.json"];
    await product.succeed(["generate", ...pace]);
    const { unique } = JSON.parse(await readFile(product.path("manifest.json"), "utf8")) as Manifest;
    await until(async () => {
      const counts = await session
        .query<{ count: number }>("select count(*) from user_events")
        .catch(() => [{ count: 0 }]); // the pipeline has still to make the table
      return counts[0]!.count === unique;
    }, `${unique} rows`);
    command.kill("SIGINT");
    expect(await command.ended).to.include({ code: 0 });
  });
});

describe("pipeline --when-done", () => {
  useFreshProduct();

  const file = (...ids: string[]) => `${HEADER}\n${ids.map((id) => `${event(id)}\n`).join("")}`;
  const ids = async () => {
    const rows = await session.query<{ event_id: string }>("select event_id from user_events order by id");
    return rows.map((row) => row.event_id);
  };
  const states = async () => (await product.status())[0]!.files.map(({ path, state }) => [path, state]);

  it("archive moves finished files before exit, and a name that is taken gets the file's id", async () => {
    const archive = product.path("data", "processed", "raw");
    await writeFile(product.input("a.csv"), `${file("a1")}broken\n`);
    await product.succeed(["pipeline", "--once", "--when-done=archive", "--quiet-ms=100"]);
    expect(await readdir(product.path("data", "raw"))).to.deep.equal([]);
    await writeFile(product.input("a.csv"), file("a2", "a3"));
    await product.succeed(["pipeline", "--once", "--when-done=archive", "--quiet-ms=100"]);
    expect(await readdir(product.path("data", "raw"))).to.deep.equal([]);
    const [first, second] = await session.query<{ file_id: number }>(
      "select file_id from source_files order by 1",
    );
    expect(first).to.not.equal(undefined);
    const clash = `a.${second!.file_id}.csv`;
    expect((await readdir(archive)).sort()).to.deep.equal(["a.csv", clash].sort());
    expect(await readFile(`${archive}/a.csv`, "utf8")).to.equal(`${file("a1")}broken\n`);
    expect(await readFile(`${archive}/${clash}`, "utf8")).to.equal(file("a2", "a3"));
    expect(await ids()).to.deep.equal(["a1", "a2", "a3"]);
    expect(await states()).to.deep.equal([
      ["a.csv", "archived"],
      ["a.csv", "archived"],
    ]);
  });

  it("delete removes finished files while it runs, and no other", async () => {
    await writeFile(product.input("a.csv"), file("a1"));
    await writeFile(product.input("b.csv"), file("b1"));
    await writeFile(product.input("notes.txt"), "not ours");
    const command = product.start(["pipeline", "--when-done=delete", "--done-after-ms=200"]);
    await until(
      async () => (await readdir(product.path("data", "raw"))).join() === "notes.txt",
      "the finished files gone",
    );
    command.kill("SIGTERM");
    expect(await command.ended).to.include({ code: 0 });
    expect(await ids()).to.deep.equal(["a1", "b1"]);
    expect(await states()).to.deep.equal([
      ["a.csv", "deleted"],
      ["b.csv", "deleted"],
    ]);
  });
});
