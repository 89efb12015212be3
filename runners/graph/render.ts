/** A graph as text: for people as mermaid or dot, for programs as the Beam proto in JSON. */
import { runnerApi } from "../../transforms/primitives/beam.js";
import { MAIN_OUTPUT } from "../../transforms/primitives/do-fn.js";
import { readSteps, type Step } from "./step.js";

export const GRAPH_FORMATS = ["mermaid", "dot", "json"] as const;
export type GraphFormat = (typeof GRAPH_FORMATS)[number];

/** What a comment begins with; JSON has none. */
export const GRAPH_COMMENTS: Readonly<Record<GraphFormat, string | undefined>> = {
  mermaid: "%%",
  dot: "//",
  json: undefined,
};

/**
 * Renders the graph; composites become frames around their parts. `json` is the whole proto in
 * protobuf's JSON form, payloads in base64. Ends with a newline.
 */
export function renderGraph(proto: runnerApi.Pipeline, format: GraphFormat): string {
  switch (format) {
    case "json":
      return `${runnerApi.Pipeline.toJsonString(proto, { prettySpaces: 2 })}\n`;
    case "mermaid":
      return print(draw(proto), MERMAID);
    case "dot":
      return print(draw(proto), DOT);
  }
}

interface Drawing {
  readonly top: readonly (Frame | Node)[];
  readonly edges: readonly Edge[];
}

interface Frame {
  readonly id: string;
  readonly label: string;
  readonly parts: readonly (Frame | Node)[];
}

interface Node {
  readonly id: string;
  readonly label: string;
}

interface Edge {
  readonly from: string;
  readonly to: string;
  /** The output's tag, or none for a main output. */
  readonly label: string;
}

interface Language {
  readonly open: readonly string[];
  readonly close: readonly string[];
  frame(frame: Frame): { readonly open: readonly string[]; readonly close: string };
  node(node: Node): string;
  edge(edge: Edge): string;
}

const MERMAID: Language = {
  open: ["flowchart LR"],
  close: [],
  frame: ({ id, label }) => ({ open: [`subgraph ${id}["${mermaidText(label)}"]`], close: "end" }),
  node: ({ id, label }) => `${id}["${mermaidText(label)}"]`,
  edge: ({ from, to, label }) => `${from} -->${label && `|"${mermaidText(label)}"|`} ${to}`,
};

const DOT: Language = {
  open: ["digraph pipeline {", "  rankdir=LR;", "  node [shape=box];"],
  close: ["}"],
  frame: ({ id, label }) => ({
    open: [`subgraph cluster_${id} {`, `  label=${JSON.stringify(label)};`],
    close: "}",
  }),
  node: ({ id, label }) => `${id} [label=${JSON.stringify(label)}];`,
  edge: ({ from, to, label }) => `${from} -> ${to}${label && ` [label=${JSON.stringify(label)}]`};`,
};

function print({ top, edges }: Drawing, language: Language): string {
  const lines = [...language.open];
  const visit = (part: Frame | Node, indent: string): void => {
    if (!("parts" in part)) {
      lines.push(indent + language.node(part));
      return;
    }
    const { open, close } = language.frame(part);
    lines.push(...open.map((line) => indent + line));
    for (const inner of part.parts) visit(inner, `${indent}  `);
    lines.push(indent + close);
  };
  for (const part of top) visit(part, "  ");
  lines.push(...edges.map((edge) => `  ${language.edge(edge)}`), ...language.close);
  return `${lines.join("\n")}\n`;
}

/** Nodes are numbered in application order: short, and no name can clash with a language's keyword. */
function draw(proto: runnerApi.Pipeline): Drawing {
  const { transforms } = proto.components!;
  const steps = new Map(readSteps(proto).map((step) => [step.path, step]));
  const nodeIds = new Map([...steps.keys()].map((path, index) => [path, `s${index + 1}`]));
  let frames = 0;
  const drawPart = (id: string, parent: string): (Frame | Node)[] => {
    const { uniqueName, subtransforms } = transforms[id]!;
    const label = uniqueName.startsWith(`${parent}/`) ? uniqueName.slice(parent.length + 1) : uniqueName;
    const step = steps.get(uniqueName);
    if (step !== undefined) return [{ id: nodeIds.get(uniqueName)!, label: stepLabel(step, label) }];
    if (subtransforms.length === 0) return [];
    frames += 1;
    return [{ id: `c${frames}`, label, parts: subtransforms.flatMap((part) => drawPart(part, uniqueName)) }];
  };
  return {
    top: proto.rootTransformIds.flatMap((id) => drawPart(id, "")),
    edges: edgesOf([...steps.values()], nodeIds),
  };
}

function edgesOf(steps: readonly Step[], nodeIds: ReadonlyMap<string, string>): Edge[] {
  const makers = new Map<string, { from: string; label: string }>();
  const edges: Edge[] = [];
  for (const { path, transform } of steps) {
    const node = nodeIds.get(path)!;
    for (const id of Object.values(transform.inputs)) edges.push({ ...makers.get(id)!, to: node });
    for (const [tag, id] of Object.entries(transform.outputs)) {
      makers.set(id, { from: node, label: tag === MAIN_OUTPUT ? "" : tag });
    }
  }
  return edges;
}

function stepLabel(step: Step, name: string): string {
  return step.kind === "parDo" && step.doFn.kind === "registered" ? `${name}: ${step.doFn.fn}` : name;
}

function mermaidText(text: string): string {
  return text.replaceAll("#", "#35;").replaceAll('"', "#quot;").replaceAll("\n", " ");
}
