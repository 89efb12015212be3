/** The list of model scenarios: each is a mocha test, and a line of docs/model-coverage.md under its features. */
import type { ModelFeature } from "./model-features.js";
import { exclusionOf } from "./portable-exclusions.js";
import { noteFailure, noteResult, PASSED } from "./portable-results.js";
import { beginScenario } from "./portable-target.js";
import { DirectOnlyError, type PortableTargetName, portableTarget } from "./portable-targets.js";

export interface Scenario {
  /** E.g. `state`, `timers`. */
  readonly category: string;
  /** What the scenario asserts. */
  readonly name: string;
  /** What of the Beam model it shows, at least one. */
  readonly features: readonly ModelFeature[];
}

const registered: Scenario[] = [];

/** All scenarios of the test files that were imported so far, in their order. */
export function registeredScenarios(): readonly Scenario[] {
  return registered;
}

/** Adds a scenario to the category at hand. */
export type AddScenario = (
  name: string,
  features: readonly [ModelFeature, ...ModelFeature[]],
  body: () => void | Promise<void>,
) => void;

/** The scenarios of a category, as one mocha suite. Without mocha they are listed only, for a program to read. */
export function scenariosOf(category: string, body: (add: AddScenario) => void): void {
  const add: AddScenario = (name, features, test) => scenario(category, name, features, test);
  if (typeof globalThis.describe === "function") describe(`the Beam model: ${category}`, () => body(add));
  else body(add);
}

/**
 * A scenario of Beam's model with its test.
 * @throws when the category has one of that name already: a name is what the coverage page tells.
 */
export function scenario(
  category: string,
  name: string,
  features: readonly [ModelFeature, ...ModelFeature[]],
  body: () => void | Promise<void>,
): void {
  if (registered.some((known) => known.category === category && known.name === name)) {
    throw new Error(`category "${category}" has two scenarios named "${name}"`);
  }
  registered.push({ category, name, features });
  if (typeof globalThis.it !== "function") return;
  if (portableTarget === undefined) globalThis.it(name, body);
  else portableIt(portableTarget, { category, name, features }, body);
}

/** Runs what the target cannot run as well, to find what it can by now. */
const RUNS_EXCLUDED = process.env["MILLRACE_MODEL_EXCLUDED"] === "run";

/** Its test on a job server: passed, or skipped for a reason that is noted. */
function portableIt(target: PortableTargetName, scenario: Scenario, body: () => void | Promise<void>): void {
  const { category, name, features } = scenario;
  const reason = exclusionOf(target, scenario);
  if (reason !== undefined && !RUNS_EXCLUDED) {
    noteResult(category, name, reason);
    globalThis.it.skip(`${name} (${reason})`);
    return;
  }
  globalThis.it(name, async function () {
    beginScenario(features);
    try {
      await body();
    } catch (error) {
      if (!(error instanceof DirectOnlyError)) {
        noteResult(category, name, `failed: ${(error as Error).message.split("\n")[0]}`);
        await noteFailure(`${category}: ${name}`, error);
        throw error;
      }
      noteResult(category, name, error.message);
      this.skip();
    }
    noteResult(category, name, PASSED);
  });
}
