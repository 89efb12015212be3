/** The stages that the harness benchmark runs, and their input: rows under a key, encoded as on a real runner. */
import type { ProcessBundleDescriptor } from "apache-beam/proto/beam_fn_api";
import type { StagePlan, StageSource } from "../../runners/harness/descriptor/stage-plan.js";
import { impulse, P, type Root, withName } from "../../transforms/primitives/beam.js";
import { ByteReader } from "../../transforms/primitives/coders/byte-reader.js";
import { ByteWriter } from "../../transforms/primitives/coders/byte-writer.js";
import type { DoFn, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../transforms/primitives/fn-registry.js";
import { registeredParDo, withKeyCoder } from "../../transforms/primitives/par-do.js";
import {
  IN_GLOBAL_WINDOW,
  type KV,
  NO_FIRING,
  type WindowedValue,
} from "../../transforms/primitives/window.js";
import { cutStage, graphOf, withLengthPrefixes } from "../runners/harness/descriptor/descriptors.js";

interface Row {
  readonly event_id: string;
  readonly user_id: string;
  readonly event_type: string;
  readonly product_id: string;
  readonly price: number;
  readonly event_timestamp: string;
}

/** A step that costs next to nothing: what is measured is its stage's borders. */
class ByProduct implements DoFn<KV<string, Row>> {
  process({ value }: KV<string, Row>, context: ProcessContext): void {
    context.output({ key: value.product_id, value });
  }
}

/** Many bytes of each element, one output a call. */
class Enlarge implements DoFn<KV<string, Row>> {
  constructor(readonly config: { readonly bytes: number }) {}
  process({ key, value }: KV<string, Row>, context: ProcessContext): void {
    context.output({ key, value: value.event_id.padEnd(this.config.bytes, "x") });
  }
}

registerDoFn("bench_by_product@1", () => new ByProduct());
registerDoFn("bench_enlarge@1", (config: { bytes: number }) => new Enlarge(config));

/** Source, the step, sink; general coders in a KV, each part behind its length. */
function stage(id: string, fn: string, config: { readonly bytes: number } | null): ProcessBundleDescriptor {
  const graph = graphOf((root: Root) => {
    const start = root.apply(withName("Impulse", impulse()));
    const rows = P(start).apply(withName("Rows", withKeyCoder()));
    const made = P(rows).apply(withName("Step", registeredParDo<unknown, unknown>(fn, config)));
    P(made).apply(withName("Keyed", withKeyCoder()));
  });
  const descriptor = cutStage(graph, ["Step", "Keyed"], { written: ["Keyed.main"] });
  return withLengthPrefixes({ ...descriptor, id });
}

export const byProductStage = () => stage("by-product", "bench_by_product@1", null);
export const enlargeStage = (bytes: number) => stage("enlarge", "bench_enlarge@1", { bytes });

function rowOf(n: number): WindowedValue {
  const row: Row = {
    event_id: `evt_${n}`,
    user_id: `user_${(n * 7919) % 10_000}`,
    event_type: n % 3 === 0 ? "purchase" : "page_view",
    product_id: `product_${n % 1_000}`,
    price: (n % 10_000) / 100,
    event_timestamp: new Date(1_767_225_600_000 + n * 10).toISOString(),
  };
  const value = { key: row.user_id, value: row };
  return { value, timestampMs: 1_767_225_600_000 + n, windows: IN_GLOBAL_WINDOW, pane: NO_FIRING };
}

/** So many rows, encoded for the stage's source, in messages of about `messageBytes`. */
export function encodedRows(plan: StagePlan, rows: number, messageBytes: number): Uint8Array[] {
  const coder = sourceCoder(plan);
  const messages: Uint8Array[] = [];
  const out = new ByteWriter();
  for (let n = 0; n < rows; n++) {
    coder.write(rowOf(n), out, true);
    if (out.len >= messageBytes) messages.push(out.finish());
  }
  if (out.len > 0) messages.push(out.finish());
  return messages;
}

/** What no worker can do without: each element decoded, given to the step, and its output encoded. */
export function recode(plan: StagePlan, messages: readonly Uint8Array[]): void {
  const from = sourceCoder(plan);
  const to = sinkCoder(plan);
  const out = new ByteWriter();
  for (const message of messages) {
    const input = new ByteReader(message);
    while (input.pos < input.len) {
      const { value, ...rest } = from.read(input, true);
      const row = (value as KV<string, Row>).value;
      to.write({ ...rest, value: { key: row.product_id, value: row } }, out, true);
    }
    out.finish();
  }
}

type StageCoder = StageSource["coder"];

const sourceCoder = ({ sources }: StagePlan): StageCoder => [...sources.values()][0]!.coder;
const sinkCoder = ({ sinks }: StagePlan): StageCoder => [...sinks.values()].flat()[0]!.coder;

/** How many elements messages of the stage's only output hold. */
export function countElements(plan: StagePlan, messages: Iterable<Uint8Array>): number {
  const coder = sinkCoder(plan);
  let count = 0;
  for (const message of messages) {
    const input = new ByteReader(message);
    for (; input.pos < input.len; count++) coder.read(input, true);
  }
  return count;
}
