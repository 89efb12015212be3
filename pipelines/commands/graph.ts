/** `graph`: prints the graph of a pipeline without running it. */
import { graphProto } from "../../runners/graph/graph-proto.js";
import { type GraphFormat, renderGraph } from "../../runners/graph/render.js";
import { buildUserEvents } from "../user-events.js";

export interface GraphOptions {
  readonly format: GraphFormat;
  /** As they would stand in the graph if it ran. */
  readonly input: string;
  readonly errorDir: string;
}

/** Where a command writes. */
export interface GraphIo {
  readonly stdout: { write(text: string): unknown };
}

/** Prints the graph of user-events; needs neither database nor input. */
export function runGraph({ format, input, errorDir }: GraphOptions, io: GraphIo): void {
  const proto = graphProto(buildUserEvents({ input, errorDir }));
  io.stdout.write(renderGraph(proto, format));
}
