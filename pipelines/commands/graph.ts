/** `graph`: prints the graph of a pipeline without running it. */
import { graphProto } from "../../runners/graph/graph-proto.js";
import { GRAPH_COMMENTS, type GraphFormat, renderGraph } from "../../runners/graph/render.js";
import {
  DIRECT_SINK_PLACE,
  JOB_SERVER_SINK_PLACE,
  sinksOf,
  sinkText,
  UnsafeSinkError,
} from "../../runners/graph/sinks.js";
import type { Graph } from "../registry.js";

/** Where a command writes. */
export interface GraphIo {
  readonly stdout: { write(text: string): unknown };
}

/**
 * Prints the graph as the runner would get it; needs neither database nor input. In a format that has comments, they
 * tell what each sink promises there.
 */
export function runGraph(graph: Graph, runner: string, format: GraphFormat, io: GraphIo): void {
  const proto = graphProto(graph);
  io.stdout.write(renderGraph(proto, format));
  const comment = GRAPH_COMMENTS[format];
  if (comment === undefined) return;
  for (const line of sinkLines(proto, runner)) io.stdout.write(`${comment} ${line}, runner ${runner}\n`);
}

function sinkLines(proto: ReturnType<typeof graphProto>, runner: string): string[] {
  try {
    return sinksOf(proto, runner === "direct" ? DIRECT_SINK_PLACE : JOB_SERVER_SINK_PLACE).map(sinkText);
  } catch (error) {
    if (!(error instanceof UnsafeSinkError)) throw error;
    return error.sinks.map(({ step, why }) => `sink ${step} is refused: ${why}`);
  }
}
