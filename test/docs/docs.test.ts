/** The documentation is true to the code: links resolve, and what the code has is described. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { type Setting, settings } from "../../pipelines/config/settings.js";
import { createJsonReporter } from "../../pipelines/reporting/json-reporter.js";
import { toStreamingProgress } from "../../pipelines/reporting/streaming-progress.js";
import { userEventSchema } from "../../pipelines/user-event-schema.js";
import { verbs } from "../../pipelines/verbs.js";
import { commitReport } from "../pipelines/fake-job.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");

/** Lines of .gitignore that name a folder or a file: what is not part of the project. */
const ignored = new Set(
  read(".gitignore")
    .split("\n")
    .map((line) => line.replace(/\/$/, "")),
);
const topDirectories = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !entry.name.startsWith(".") && !ignored.has(entry.name))
  .map((entry) => entry.name);

const pages = [...readdirSync(root), ...filesIn("docs")].filter((path) => path.endsWith(".md"));

describe("docs: links", () => {
  for (const page of pages) {
    it(`resolve in ${page}`, () => {
      for (const target of linksOf(read(page))) {
        const [path = "", anchor] = target.split("#");
        const file = path === "" ? page : relative(root, resolve(root, dirname(page), path));
        expect(existsSync(join(root, file)), `${page} links to ${target}`).to.equal(true);
        if (anchor !== undefined)
          expect(anchorsOf(read(file)), `${page} links to ${target}`).to.include(anchor);
      }
    });
  }
});

describe("docs: commands", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const BUILT_IN = new Set(["ci", "test"]);

  it("name only scripts that package.json has", () => {
    for (const page of pages) {
      for (const [, script = ""] of read(page).matchAll(/\bnpm run (?:-s )?([a-z][\w:-]*)/g)) {
        expect(scripts, `${page}: npm run ${script}`).to.have.property(script);
      }
      for (const [, word = ""] of read(page).matchAll(/\bnpm (?!run\b)([a-z]+)(?= |`|$)/gm)) {
        if (word in scripts && !BUILT_IN.has(word))
          expect.fail(`${page}: npm ${word} must be npm run ${word}`);
      }
    }
  });

  it("name only verbs that the command line has, and every one of them in the README", () => {
    for (const { name } of verbs) expect(read("README.md")).to.match(new RegExp(`npm run (-s )?${name}\\b`));
  });
});

describe("docs/configuration.md", () => {
  const page = read("docs/configuration.md");

  for (const setting of settings.values()) {
    it(`has the row of ${setting.path}`, () => {
      expect(page).to.include(rowOf(setting));
    });
  }

  it("has no row of a setting that there is not", () => {
    const paths = [...page.matchAll(/^\| `--[^|]*\| `([\w.]+)` \|/gm)].map(([, path]) => path);
    expect(paths.toSorted()).to.deep.equal([...settings.keys()].toSorted());
  });
});

describe("docs/dead-letters.md", () => {
  it("has exactly the reasons that the code gives", () => {
    const section = /^## Reasons\n([\s\S]*?)^## /m.exec(read("docs/dead-letters.md"))?.[1] ?? "";
    const listed = [...section.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, name]) => name!);
    expect(listed.toSorted()).to.deep.equal([...reasonsInCode()].toSorted());
  });

  it("has every column of the table", () => {
    const sql = read("sql/postgres_setup.sql");
    const table = /create table dead_letters \(([\s\S]*?)\n\);/.exec(sql)?.[1] ?? "";
    const columns = [...table.matchAll(/^ {2}([a-z_]+) (?!\()/gm)].map(([, name]) => name!);
    expect(columns).to.include("byte_start");
    for (const column of columns) expect(read("docs/dead-letters.md")).to.include(`\`${column}\``);
  });
});

describe("docs/sinks.md", () => {
  it("has every reason for which a change is rejected", () => {
    const reasons = [...read(CHANGES).matchAll(/\breason: "([a-z_]+)"/g)].map(([, reason]) => reason!);
    expect(reasons).to.include("missing_version");
    for (const reason of [...reasons, "rejected_by_database"]) {
      expect(read("docs/sinks.md")).to.include(`\`${reason}\``);
    }
  });
});

describe("docs/status-and-logs.md", () => {
  const page = read("docs/status-and-logs.md");

  it("has every field of streaming_metrics.log", () => {
    const fields = Object.keys(toStreamingProgress(commitReport(), undefined, "sink"));
    for (const field of fields) expect(page).to.include(`\`${field}\``);
  });

  it("has every field of a commit under --json", () => {
    const lines: string[] = [];
    void createJsonReporter("user-events", (line) => lines.push(line)).commit(commitReport());
    for (const field of Object.keys(JSON.parse(lines[0]!))) expect(page).to.include(`\`${field}\``);
  });

  it("has every field of status --json", () => {
    const source = read("sql/status.ts");
    const fields = [...source.matchAll(/^ {2}readonly ([a-z_]+):/gm)].map(([, name]) => name!);
    expect(fields).to.include("last_commit_at");
    for (const field of fields) expect(page).to.include(`\`${field}\``);
  });
});

describe("docs/architecture.md", () => {
  it("has every top-level directory in its picture", () => {
    const picture = /```mermaid\n([\s\S]*?)```/.exec(read("docs/architecture.md"))?.[1];
    expect(topDirectories).to.include("runners");
    for (const name of topDirectories) expect(picture).to.include(`${name}/`);
  });

  it("has every folder of runners/ in its picture", () => {
    const picture = /```mermaid\n([\s\S]*?)```/.exec(read("docs/architecture.md"))?.[1];
    for (const entry of readdirSync(join(root, "runners"))) {
      expect(picture).to.include(entry.endsWith(".ts") ? entry : `${entry}/`);
    }
  });

  it("has every layer rule", () => {
    const names = [...read(".dependency-cruiser.cjs").matchAll(/(?:name: |only\(\s*)"([a-z-]+)"/g)];
    expect(names).to.have.length.above(5);
    for (const [, name] of names) expect(read("docs/architecture.md")).to.include(`\`${name}\``);
  });
});

describe("docs/adr", () => {
  it("numbers its pages without gaps, and lists each", () => {
    const names = readdirSync(join(root, "docs/adr"))
      .filter((name) => name !== "README.md")
      .toSorted();
    names.forEach((name, index) => {
      expect(name).to.match(new RegExp(`^${String(index + 1).padStart(4, "0")}-[a-z0-9-]+\\.md$`));
      expect(read("docs/adr/README.md")).to.include(`(${name})`);
    });
  });
});

/** Rejects what is no record of a file, so no dead letter either. */
const CHANGES = "transforms/row-change.ts";

function filesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesIn(path) : [path];
  });
}

/** Targets of relative links outside of code. */
function linksOf(page: string): string[] {
  const prose = page.replace(/^```[\s\S]*?^```/gm, "").replace(/`[^`\n]*`/g, "code");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target));
}

/** Ids of headings, as GitHub makes them. */
function anchorsOf(page: string): string[] {
  return [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

function rowOf({ path, flag, value, variable, default: initial, help }: Setting): string {
  const takers = verbs.filter((verb) => verb.settings.includes(path)).map(({ name }) => name);
  const shown = value === null ? "off" : initial === undefined ? "" : `\`${initial}\``;
  const cells = [`\`${flag}${value === null ? "" : ` ${value}`}\``, `\`${path}\``, `\`${variable}\``];
  return `| ${[...cells, shown, help, takers.join(", ")].join(" | ")} |`;
}

/** Reasons as they stand in the sources of the transforms, and those made of a schema's fields. */
function reasonsInCode(): Set<string> {
  const reasons = new Set([...userEventSchema.order.keys()].map((field) => `invalid_${String(field)}`));
  const sources = filesIn("transforms").filter((name) => name.endsWith(".ts") && name !== CHANGES);
  for (const path of sources) {
    const source = read(path);
    for (const [, reason] of source.matchAll(/\breason: "([a-z_]+)"/g)) reasons.add(reason!);
    for (const [, union] of source.matchAll(/type CsvDefect = ([^;]+);/g)) {
      for (const [, reason] of union!.matchAll(/"([a-z_]+)"/g)) reasons.add(reason!);
    }
    if (source.includes('"invalid_record"')) reasons.add("invalid_record");
  }
  return reasons;
}
