/** docs/model-coverage.md as text: what of the Beam model each runner has, and which scenarios show it. */
import { DIRECT_FEATURES } from "../../../runners/direct/direct-runner.js";
import { type Feature, features } from "../../../runners/graph/features.js";
import { modelFeatures } from "./model-features.js";
import type { Scenario } from "./scenarios.js";

/** Runners that nothing submits to yet. */
const NOT_BUILT = ["Spark batch", "Flink batch", "Flink streaming", "Prism"] as const;
const NOT_BUILT_TEXT = "not built yet";

const HEADER = `# The Beam model: what is covered

Generated from the scenarios of \`test/model\` and the table of features in \`runners/graph\` by
\`npm run model:coverage\`: change those, not this page. \`npm run test:model\` runs the scenarios, none skipped.

The direct runner refuses a pipeline before its first element, naming each step and feature that it lacks.

"Not built yet" means that nothing here submits a pipeline to that runner: the command line refuses it by name, as
\`--runner\` takes none but \`direct\`, and \`createRunner\` of \`millrace/runners\` leaves it to the SDK.
`;

/** The page for these scenarios. @throws when a feature of the model is shown by none, or is refused and shown. */
export function coveragePage(scenarios: readonly Scenario[]): string {
  return [
    HEADER,
    "## What the model has\n",
    table(modelFeatures.map((feature) => [feature, shownBy(feature, scenarios)])),
    "\n## What else a graph may ask for\n",
    "Seen in the graph. The SDK's payloads are shown by `test/model/programming-guide`.\n",
    table(
      otherFeatures().map((feature) => [feature, isSupported(feature) ? "implemented" : "refused by name"]),
    ),
    "\n## Scenarios\n",
    `${scenarios.length} in ${categoriesOf(scenarios).length} categories.\n`,
    ...categoriesOf(scenarios).map((category) => scenarioList(category, scenarios)),
  ].join("\n");
}

function shownBy(feature: (typeof modelFeatures)[number], scenarios: readonly Scenario[]): string {
  const count = scenarios.filter((scenario) => scenario.features.includes(feature)).length;
  if (count === 0) throw new Error(`no scenario shows "${feature}"`);
  if ((features as readonly string[]).includes(feature) && !isSupported(feature as Feature)) {
    throw new Error(`${count} scenarios show "${feature}", which the direct runner refuses`);
  }
  return `implemented (${count} ${count === 1 ? "scenario" : "scenarios"})`;
}

function isSupported(feature: Feature): boolean {
  return DIRECT_FEATURES.supported.has(feature);
}

function otherFeatures(): Feature[] {
  return features.filter((feature) => !(modelFeatures as readonly string[]).includes(feature));
}

/** Rows of a feature and what the direct runner says; the other runners all say the same. */
function table(rows: readonly (readonly [feature: string, direct: string])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const others = NOT_BUILT.map(() => NOT_BUILT_TEXT);
  return [
    line(["feature", "direct", ...NOT_BUILT]),
    line(["---", "---", ...NOT_BUILT.map(() => "---")]),
    ...rows.map(([feature, direct]) => line([feature, direct, ...others])),
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
