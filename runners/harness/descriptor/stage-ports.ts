/** Where elements come into a stage and leave it: the data sources and sinks of its descriptor. */
// Loads the SDK's index, before which its messages cannot be loaded.
import "../../../transforms/primitives/beam.js";
import { type ProcessBundleDescriptor, RemoteGrpcPort } from "apache-beam/proto/beam_fn_api";
import type { runnerApi } from "../../../transforms/primitives/beam.js";
import type { BeamCoder } from "../../../transforms/primitives/coders/beam-coder.js";
import {
  ParamWindowedValueCoder,
  WindowedValueCoder,
} from "../../../transforms/primitives/coders/windowed-value-coders.js";
import type { WindowedValue } from "../../../transforms/primitives/window.js";
import type { StageRoot } from "../../graph/fuse.js";
import { type DescriptorGraph, onlyOf } from "./descriptor-graph.js";

export const SOURCE_URN = "beam:runner:source:v1";
export const SINK_URN = "beam:runner:sink:v1";

/** Elements from the runner, and the root of the stage that they go to. */
export interface StageSource extends StagePort {
  readonly root: StageRoot;
}

/** What takes the elements of a PCollection to the runner. */
export type StageSink = StagePort;

export interface StagePort {
  readonly transformId: string;
  /** Of the data service. */
  readonly endpoint: string;
  /** Id of the PCollection. */
  readonly collection: string;
  readonly coder: BeamCoder<WindowedValue>;
}

/** @throws when the port lacks its endpoint, or its coder is not one of windowed values. */
export function readPort(graph: DescriptorGraph, id: string, transform: runnerApi.PTransform): StagePort {
  const { apiServiceDescriptor, coderId } = RemoteGrpcPort.fromBinary(transform.spec!.payload);
  const isSource = transform.spec!.urn === SOURCE_URN;
  const endpoint = apiServiceDescriptor?.url;
  if (!endpoint) throw new Error("its port says no URL of a data service");
  const coder = graph.coder(coderId);
  if (!(coder instanceof WindowedValueCoder || coder instanceof ParamWindowedValueCoder)) {
    throw new Error(
      `its coder "${coderId}" (${graph.components.coders[coderId]!.spec!.urn}) must be one of windowed values`,
    );
  }
  const collection = isSource ? onlyOf(transform.outputs, "output") : onlyOf(transform.inputs, "input");
  graph.addPort(collection, coderId);
  return { transformId: id, endpoint, collection, coder };
}

/** URLs of the services through which the stage's elements come and go; also of a stage that cannot be read. */
export function dataEndpoints({ transforms }: ProcessBundleDescriptor): Set<string> {
  const ports = Object.values(transforms).filter(
    ({ spec }) => spec?.urn === SOURCE_URN || spec?.urn === SINK_URN,
  );
  const urls = ports.map(({ spec }) => RemoteGrpcPort.fromBinary(spec!.payload).apiServiceDescriptor?.url);
  return new Set(urls.filter((url) => url !== undefined));
}
