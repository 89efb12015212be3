/** docs/model-coverage.md as text: what of the Beam model each runner has, and which scenarios show it. */
import { DIRECT_FEATURES } from "../../../runners/direct/direct-runner.js";
import { type Feature, features } from "../../../runners/graph/features.js";
import { PORTABLE_FEATURES } from "../../../runners/portable/portable-graph.js";
import { type ModelFeature, modelFeatures } from "./model-features.js";
import { exclusionOf } from "./portable-exclusions.js";
import { PASSED, type PortableResults } from "./portable-results.js";
import { type PortableTargetName, portableTargets } from "./portable-targets.js";
import type { Scenario } from "./scenarios.js";

const targets = Object.keys(portableTargets) as PortableTargetName[];

/** Last results by target. */
export type AllResults = Readonly<Record<PortableTargetName, PortableResults>>;

const HEADER = `# The Beam model: what is covered

Generated from the scenarios of \`test/model\`, what came of them on job servers (\`test/model/results\`) and the table of
features in \`runners/graph\` by \`npm run model:coverage\`: change those, not this page.

\`npm run test:model\` runs the scenarios on the direct runner, none skipped. \`npm run test:model:portable\` runs them on
Beam's job servers for Spark, Flink and Prism with workers of ours, and records what passed. What did not
pass is listed [below](#what-did-not-pass-on-the-other-runners). A line that begins with "failed" is not explained: it may be
a defect of ours as well as the runner's.

How the record came about: each column is one run of all scenarios, one server at a time, 100 s a job at the most. Flink ran with an element a bundle, since a bundle under way holds a
script's watermarks back, and in streaming with checkpoints each second, scenarios with side inputs without any. A
scenario that plays a TestStream without naming it among its features ran in Flink batch's column as the streaming job
that it is.

The direct runner refuses a pipeline before its first element, naming each step and feature that it lacks.
`;

const NOT_RUN = "not run since the scenario was written";

/** The page for these scenarios. @throws when a feature of the model is shown by none, or is refused and shown. */
export function coveragePage(scenarios: readonly Scenario[], results: AllResults): string {
  return [
    HEADER,
    "## What the model has\n",
    table(
      modelFeatures.map((feature) => [
        feature,
        shownBy(feature, scenarios),
        ...targets.map((target) => passedBy(target, feature, scenarios, results)),
      ]),
    ),
    "\n## What else a graph may ask for\n",
    "Seen in the graph. The SDK's payloads are shown by `test/model/programming-guide`, on the direct runner. What is left to",
    "a job server, it runs or refuses itself.\n",
    table(otherFeatures().map((feature) => [feature, ...supportOf(feature)])),
    "\n## What did not pass on the other runners\n",
    ...targets.map((target) => reasonList(target, scenarios, results)),
    "## Scenarios\n",
    `${scenarios.length} in ${categoriesOf(scenarios).length} categories.\n`,
    ...categoriesOf(scenarios).map((category) => scenarioList(category, scenarios)),
  ].join("\n");
}

function shownBy(feature: ModelFeature, scenarios: readonly Scenario[]): string {
  const count = showing(feature, scenarios).length;
  if (count === 0) throw new Error(`no scenario shows "${feature}"`);
  if ((features as readonly string[]).includes(feature) && !isSupported(feature as Feature)) {
    throw new Error(`${count} scenarios show "${feature}", which the direct runner refuses`);
  }
  return `implemented (${count} ${count === 1 ? "scenario" : "scenarios"})`;
}

function passedBy(
  target: PortableTargetName,
  feature: ModelFeature,
  scenarios: readonly Scenario[],
  results: AllResults,
): string {
  const all = showing(feature, scenarios);
  const passed = all.filter((scenario) => outcomeOf(target, scenario, results) === PASSED).length;
  const count = `${passed} of ${all.length} ${all.length === 1 ? "scenario" : "scenarios"}`;
  return passed === 0 ? `not shown (${count})` : `implemented (${count})`;
}

function showing(feature: ModelFeature, scenarios: readonly Scenario[]): Scenario[] {
  return scenarios.filter((scenario) => scenario.features.includes(feature));
}

/** `passed`, or why not. */
function outcomeOf(target: PortableTargetName, scenario: Scenario, results: AllResults): string {
  const { category, name } = scenario;
  return exclusionOf(target, scenario) ?? results[target][category]?.[name] ?? NOT_RUN;
}

function isSupported(feature: Feature): boolean {
  return DIRECT_FEATURES.supported.has(feature);
}

function otherFeatures(): Feature[] {
  return features.filter((feature) => !(modelFeatures as readonly string[]).includes(feature));
}

function supportOf(feature: Feature): string[] {
  const portable = PORTABLE_FEATURES.has(feature) ? "left to the job server" : "refused by name";
  return [isSupported(feature) ? "implemented" : "refused by name", ...targets.map(() => portable)];
}

function table(rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const names = ["feature", "direct", ...Object.values(portableTargets)];
  return [line(names), line(names.map(() => "---")), ...rows.map(line)].join("\n");
}

function reasonList(target: PortableTargetName, scenarios: readonly Scenario[], results: AllResults): string {
  const byReason = new Map<string, string[]>();
  for (const scenario of scenarios) {
    const outcome = outcomeOf(target, scenario, results);
    if (outcome === PASSED) continue;
    const named = `${scenario.category}: ${scenario.name}`;
    byReason.set(outcome, [...(byReason.get(outcome) ?? []), named]);
  }
  const count = [...byReason.values()].flat().length;
  const reasons = [...byReason]
    .sort(([a, of], [b, others]) => others.length - of.length || compare(a, b))
    .map(
      ([reason, names]) => `${reason} (${names.length}):\n\n${names.map((name) => `- ${name}`).join("\n")}\n`,
    );
  const passed = scenarios.length - count;
  return [
    `### ${portableTargets[target]}\n`,
    `${passed} of ${scenarios.length} scenarios pass, ${count} do not:\n`,
    ...reasons,
  ].join("\n");
}

function categoriesOf(scenarios: readonly Scenario[]): string[] {
  return [...new Set(scenarios.map(({ category }) => category))].sort((a, b) => compare(a, b));
}

function scenarioList(category: string, scenarios: readonly Scenario[]): string {
  const names = scenarios.filter((scenario) => scenario.category === category).map(({ name }) => name);
  return `### ${category} (${names.length})\n\n${names.map((name) => `- ${name}`).join("\n")}\n`;
}

/** By code unit, whatever the machine's language. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
