/** testStream: a source whose elements, watermark and processing time a test writes down. */
import { type Coder, type PCollection, type Root, runnerApi } from "./beam.js";
import { encodeToBytes } from "./coders/encode.js";
import { toBeamMillis } from "./coders/instant.js";
import { coderIdOrGeneral } from "./graph-coders.js";
import { createOutput, mustBeNamed, type StepOf } from "./par-do.js";
import { MAX_TIMESTAMP_MS, MIN_TIMESTAMP_MS } from "./timestamp-bounds.js";
import { checkWholeMs } from "./window-fn.js";

export const TEST_STREAM_URN = "beam:transform:teststream:v1";

/** An element with its event time, ms since 1970. */
export interface TimestampedValue<T> {
  readonly value: T;
  readonly timestampMs: number;
}

/** Apply it to a Root. Each method gives a new stream with one more event; events happen one after the other. */
export interface TestStream<T> extends StepOf<Root, PCollection<T>> {
  /**
   * Elements arrive together. An object of exactly `value` and `timestampMs` is an element with its event
   * time; any other value is at the watermark that the stream has there.
   */
  addElements(...elements: readonly (T | TimestampedValue<T>)[]): TestStream<T>;
  /** @throws when the watermark would go back, or reach the end of time. */
  advanceWatermarkTo(watermarkMs: number): TestStream<T>;
  /** Nothing comes any more. The end of the script says the same on the direct runner. */
  advanceWatermarkToInfinity(): TestStream<T>;
  advanceProcessingTime(byMs: number): TestStream<T>;
}

type Event<T> =
  | { readonly kind: "elements"; readonly elements: readonly TimestampedValue<T>[] }
  | { readonly kind: "watermark"; readonly watermarkMs: number }
  | { readonly kind: "processing-time"; readonly advanceMs: number };

/** An empty stream. One a pipeline; the output is unbounded. */
export function testStream<T>({ coder }: { readonly coder?: Coder<T> } = {}): TestStream<T> {
  return streamOf<T>([], MIN_TIMESTAMP_MS, coder);
}

function streamOf<T>(
  events: readonly Event<T>[],
  watermarkMs: number,
  coder: Coder<T> | undefined,
): TestStream<T> {
  const then = (event: Event<T>, nextMs = watermarkMs) => streamOf([...events, event], nextMs, coder);
  const advanceTo = (nextMs: number) => {
    if (nextMs < watermarkMs) {
      throw new Error(`the watermark of a test stream must not go back: ${watermarkMs} → ${nextMs}`);
    }
    return then({ kind: "watermark", watermarkMs: nextMs }, nextMs);
  };
  const expand: StepOf<Root, PCollection<T>> = (_root, pipeline, proto) => {
    const coderId = coderIdOrGeneral(pipeline, coder as Coder<unknown> | undefined);
    const elementCoder = pipeline.getCoder(coderId);
    const payload = runnerApi.TestStreamPayload.create({
      coderId,
      events: events.map((event) => ({ event: toProto(event, elementCoder) })),
    });
    proto.spec = { urn: TEST_STREAM_URN, payload: runnerApi.TestStreamPayload.toBinary(payload) };
    proto.environmentId = "";
    return createOutput(pipeline, false, coderId) as PCollection<T>;
  };
  return Object.assign(mustBeNamed("a test stream", expand), {
    addElements: (...elements: readonly (T | TimestampedValue<T>)[]) =>
      then({ kind: "elements", elements: elements.map((element) => timestamped(element, watermarkMs)) }),
    advanceWatermarkTo: (nextMs: number) => {
      if (!Number.isInteger(nextMs) || nextMs >= MAX_TIMESTAMP_MS) {
        throw new Error(
          `advanceWatermarkTo needs a whole number below the end of time, got ${nextMs}: ` +
            "advanceWatermarkToInfinity ends the stream",
        );
      }
      return advanceTo(nextMs);
    },
    advanceWatermarkToInfinity: () => advanceTo(MAX_TIMESTAMP_MS),
    advanceProcessingTime: (advanceMs: number) => {
      checkWholeMs("byMs of advanceProcessingTime", advanceMs, 1);
      return then({ kind: "processing-time", advanceMs });
    },
  });
}

function timestamped<T>(element: T | TimestampedValue<T>, defaultMs: number): TimestampedValue<T> {
  if (typeof element === "object" && element !== null) {
    const isTimestamped = Object.keys(element).length === 2 && "value" in element && "timestampMs" in element;
    if (isTimestamped) {
      const { timestampMs } = element as TimestampedValue<T>;
      if (!Number.isInteger(timestampMs) || timestampMs >= MAX_TIMESTAMP_MS) {
        throw new Error(
          `timestampMs of a test stream's element must be a whole number below ${MAX_TIMESTAMP_MS}, got ${timestampMs}`,
        );
      }
      return element as TimestampedValue<T>;
    }
  }
  return { value: element as T, timestampMs: defaultMs };
}

type EventProto = runnerApi.TestStreamPayload_Event["event"];

/** The tag of a stream with one output is empty. */
const ONLY_OUTPUT = "";

function toProto(event: Event<unknown>, coder: Coder<unknown>): EventProto {
  switch (event.kind) {
    case "watermark": {
      const watermarkEvent = { newWatermark: toBeamMillis(event.watermarkMs), tag: ONLY_OUTPUT };
      return { oneofKind: "watermarkEvent", watermarkEvent };
    }
    case "processing-time": {
      const processingTimeEvent = { advanceDuration: BigInt(event.advanceMs) };
      return { oneofKind: "processingTimeEvent", processingTimeEvent };
    }
    case "elements": {
      const elements = event.elements.map(({ value, timestampMs }) => ({
        encodedElement: encodeToBytes(coder, value),
        timestamp: toBeamMillis(timestampMs),
      }));
      return { oneofKind: "elementEvent", elementEvent: { elements, tag: ONLY_OUTPUT } };
    }
  }
}
