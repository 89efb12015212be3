/** A stage that a fake runner offers: its elements on the wire, there and back. */
import { setTimeout as later } from "node:timers/promises";
import type { ProcessBundleDescriptor } from "apache-beam/proto/beam_fn_api";
import { readDescriptor, type StagePlan } from "../../../../runners/harness/descriptor/stage-plan.js";
import type { InboundChunk } from "../../../../runners/harness/transport/data-plane.js";
import { impulse, P, type PCollection, type Root, withName } from "../../../../transforms/primitives/beam.js";
import { ByteReader } from "../../../../transforms/primitives/coders/byte-reader.js";
import { ByteWriter } from "../../../../transforms/primitives/coders/byte-writer.js";
import { registeredParDo, withKeyCoder } from "../../../../transforms/primitives/par-do.js";
import type { WindowedValue } from "../../../../transforms/primitives/window.js";
import { cutStage, graphOf, servedAt } from "../descriptor/descriptors.js";
import type { FakeRunner } from "./fake-runner.js";

export class OfferedStage {
  readonly plan: StagePlan;

  /** Has all of the stage's services at the runner. */
  constructor(
    private readonly runner: FakeRunner,
    descriptor: ProcessBundleDescriptor,
  ) {
    this.plan = readDescriptor(runner.offer(servedAt(descriptor, runner.endpoint)));
  }

  /** One step, which takes and gives anything. */
  static ofStep(runner: FakeRunner, fn: string, id = "stage"): OfferedStage {
    const graph = graphOf((root: Root) => {
      const input = root.apply(withName("Impulse", impulse())) as PCollection<unknown>;
      P(input).apply(withName("Step", registeredParDo<unknown, unknown>(fn, null)));
    });
    graph.components!.pcollections["Impulse.main"]!.coderId =
      graph.components!.pcollections["Step.main"]!.coderId;
    return new OfferedStage(runner, { ...cutStage(graph, ["Step"], { written: ["Step.main"] }), id });
  }

  /** One stateful step, behind a KV of anything. */
  static ofStatefulStep(runner: FakeRunner, fn: string): OfferedStage & { readonly step: string } {
    const graph = graphOf((root: Root) => {
      const input = root.apply(withName("Impulse", impulse())) as PCollection<unknown>;
      const keyed = P(input).apply(withName("Key", withKeyCoder())) as PCollection<unknown>;
      P(keyed).apply(withName("Remember", registeredParDo<unknown, unknown>(fn, null)));
    });
    const step = Object.keys(graph.components!.transforms).find((id) => id.startsWith("Remember"))!;
    const stage = new OfferedStage(runner, cutStage(graph, [step], { written: [`${step}.main`] }));
    return Object.assign(stage, { step });
  }

  get id(): string {
    return this.plan.id;
  }

  /** Elements for the only source. */
  chunk(elements: readonly WindowedValue[], isLast = false): InboundChunk {
    const [source] = this.plan.sources.values();
    const out = new ByteWriter();
    for (const one of elements) source!.coder.write(one, out, true);
    return { transformId: source!.transformId, timerFamilyId: undefined, data: out.finish(), isLast };
  }

  /** What came of a bundle at the only sink, all of it. */
  async sent(instructionId: string): Promise<unknown[]> {
    const [sink] = [...this.plan.sinks.values()].flat();
    const chunks = () =>
      (this.runner.received.get(instructionId) ?? []).filter((one) => one.transformId === sink!.transformId);
    // it comes over another stream than the answer
    while (!chunks().some(({ isLast }) => isLast)) await later(1);
    return chunks().flatMap(({ data }) => {
      const input = new ByteReader(data);
      const values: unknown[] = [];
      while (input.pos < input.len) values.push(sink!.coder.read(input, true).value);
      return values;
    });
  }
}
