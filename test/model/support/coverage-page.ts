/** docs/model-coverage.md, made from the list of scenarios and from what the direct runner refuses. */
import { DIRECT_FEATURES } from "../../../runners/direct/direct-runner.js";
import { detectors } from "../../../runners/graph/feature-detectors.js";
import type { Feature } from "../../../runners/graph/features.js";
import { modelFeatures } from "./model-features.js";
import type { Scenario } from "./scenarios.js";

/** Runners that graphs will be submitted to; none is there yet. */
const PLANNED_RUNNERS = ["Spark batch", "Flink batch", "Flink streaming", "Prism"];

const HEAD = `# Model coverage

What of the Beam model works, by the scenarios that show it: \`npm run test:model\` runs them all. This page is generated from them by \`npm run model:coverage\`, and a test compares the two.

A number is how many scenarios show the feature on that runner. The other runners are not there yet: \`npm run pipeline -- --runner=spark\` is refused by name.`;

/** The page as it must be committed. */
export function coveragePage(scenarios: readonly Scenario[]): string {
  const categories = [...new Set(scenarios.map(({ category }) => category))].sort();
  return `${[
    HEAD,
    `## Features by runner\n\n${featureTable(scenarios)}`,
    `## What the direct runner refuses by name\n\nBefore the first element is read, with the step that asks for it:\n\n${refusals()}`,
    `## The ${scenarios.length} scenarios`,
    ...categories.map((category) => section(category, scenarios)),
  ].join("\n\n")}\n`;
}

function featureTable(scenarios: readonly Scenario[]): string {
  const runners = ["direct", ...PLANNED_RUNNERS];
  const rows = modelFeatures.map((feature) => {
    const count = scenarios.filter(({ features }) => features.includes(feature)).length;
    if (count === 0) throw new Error(`no scenario shows "${feature}"`);
    return `| ${feature} | ${count} | ${PLANNED_RUNNERS.map(() => "not yet").join(" | ")} |`;
  });
  return [
    `| feature | ${runners.join(" | ")} |`,
    `| --- |${runners.map(() => " ---: |").join("")}`,
    ...rows,
  ].join("\n");
}

function refusals(): string {
  const features = Object.keys(detectors) as Feature[];
  return features
    .filter((feature) => !DIRECT_FEATURES.supported.has(feature))
    .map((feature) => `- ${feature}`)
    .join("\n");
}

function section(category: string, scenarios: readonly Scenario[]): string {
  const own = scenarios.filter((scenario) => scenario.category === category);
  const lines = own.map(({ name, features }) => `- ${name} (${features.join(", ")})`).sort();
  return `### ${category}: ${own.length}\n\n${lines.join("\n")}`;
}
