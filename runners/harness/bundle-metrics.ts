/** What a bundle tells its runner in figures: metrics of users, elements by PCollection, how far it is. */
import { MonitoringInfo } from "../../transforms/primitives/beam.js";
import { encodeToBytes } from "../../transforms/primitives/coders/encode.js";
import { IterableCoder } from "../../transforms/primitives/coders/iterable-coders.js";
import { DoubleCoder, VarIntCoder } from "../../transforms/primitives/coders/scalar-coders.js";
import type { Metrics } from "../../transforms/primitives/metrics.js";
import { type EpochMetrics, MetricsStore } from "../job/metrics-store.js";
import { monitoringInfos } from "../job/monitoring-infos.js";

const varint = new VarIntCoder();
const doubles = new IterableCoder(new DoubleCoder());

/** Work on a restriction, in the unit of its tracker. */
export interface WorkProgress {
  readonly step: string;
  readonly completed: number;
  readonly remaining: number;
}

/** Where the figures are that are not the users'. */
export interface BundleCounts {
  /** Elements by PCollection. */
  readonly elements: Iterable<readonly [collection: string, count: number]>;
  /** Elements taken, by id of the data source. */
  readonly read: Iterable<readonly [source: string, count: number]>;
  readonly work: readonly WorkProgress[];
}

/** Of one bundle: counts from zero. */
export class BundleMetrics {
  readonly #store: MetricsStore;
  readonly #epoch: EpochMetrics;

  constructor(now: () => number) {
    this.#store = new MetricsStore(now);
    this.#epoch = this.#store.begin();
  }

  of(step: string): Metrics {
    return this.#epoch.of(step);
  }

  infos({ elements, read, work }: BundleCounts): MonitoringInfo[] {
    return [
      ...monitoringInfos(this.#store.results()),
      ...Array.from(elements, ([PCOLLECTION, count]) =>
        sum("beam:metric:element_count:v1", { PCOLLECTION }, count),
      ),
      ...Array.from(read, ([PTRANSFORM, count]) =>
        sum("beam:metric:data_channel:read_index:v1", { PTRANSFORM }, count),
      ),
      ...work.flatMap(({ step, completed, remaining }) => [
        progress("completed", step, completed),
        progress("remaining", step, remaining),
      ]),
    ];
  }
}

function sum(urn: string, labels: Record<string, string>, count: number): MonitoringInfo {
  const payload = encodeToBytes(varint, count);
  return MonitoringInfo.create({ urn, type: "beam:metrics:sum_int64:v1", labels, payload });
}

function progress(what: "completed" | "remaining", PTRANSFORM: string, amount: number): MonitoringInfo {
  return MonitoringInfo.create({
    urn: `beam:metric:ptransform_progress:${what}:v1`,
    type: "beam:metrics:progress:v1",
    labels: { PTRANSFORM },
    payload: encodeToBytes(doubles, [amount]),
  });
}

/** Short names for what does not change of a monitoring info, as long as a harness lives. */
export class ShortIds {
  readonly #ids = new Map<string, string>();
  readonly #infos = new Map<string, MonitoringInfo>();

  /** Payloads by short id. */
  shorten(infos: readonly MonitoringInfo[]): Record<string, Uint8Array> {
    return Object.fromEntries(infos.map((info) => [this.#idOf(info), info.payload]));
  }

  /** What these ids stand for, without payload. An id that was never given is left out. */
  describe(ids: readonly string[]): Record<string, MonitoringInfo> {
    const known = ids.flatMap((id) => {
      const info = this.#infos.get(id);
      return info === undefined ? [] : [[id, info] as const];
    });
    return Object.fromEntries(known);
  }

  #idOf({ urn, type, labels }: MonitoringInfo): string {
    const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
    const name = JSON.stringify([urn, type, sorted]);
    let id = this.#ids.get(name);
    if (id === undefined) {
      id = this.#ids.size.toString(36);
      this.#ids.set(name, id);
      this.#infos.set(id, MonitoringInfo.create({ urn, type, labels }));
    }
    return id;
  }
}
