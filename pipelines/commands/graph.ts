/** `graph`: prints the graph of a pipeline without running it. */
import { graphProto } from "../../runners/graph/graph-proto.js";
import { type GraphFormat, renderGraph } from "../../runners/graph/render.js";
import type { Graph } from "../registry.js";

/** Where a command writes. */
export interface GraphIo {
  readonly stdout: { write(text: string): unknown };
}

/** Prints the graph as a runner would get it; needs neither database nor input. */
export function runGraph(graph: Graph, format: GraphFormat, io: GraphIo): void {
  io.stdout.write(renderGraph(graphProto(graph), format));
}
