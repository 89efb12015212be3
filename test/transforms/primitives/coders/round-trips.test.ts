/** Properties of every coder: what goes in comes out, in both contexts. */
import fc from "fast-check";
import {
  KVCoder,
  LengthPrefixCoder,
  NullableCoder,
  ShardedKeyCoder,
} from "../../../../transforms/primitives/coders/composite-coders.js";
import {
  IterableCoder,
  StateBackedIterableCoder,
} from "../../../../transforms/primitives/coders/iterable-coders.js";
import {
  BoolCoder,
  BytesCoder,
  DoubleCoder,
  StringUtf8Coder,
  VarIntCoder,
} from "../../../../transforms/primitives/coders/scalar-coders.js";
import type { Coder } from "../../../../transforms/primitives/coders/sdk.js";
import {
  CustomWindowCoder,
  GlobalWindowCoder,
  IntervalWindowCoder,
} from "../../../../transforms/primitives/coders/window-coders.js";
import {
  ParamWindowedValueCoder,
  TimerCoder,
  WindowedValueCoder,
} from "../../../../transforms/primitives/coders/windowed-value-coders.js";
import {
  GLOBAL_WINDOW_END_MS,
  MAX_TIMESTAMP_MS,
  MIN_TIMESTAMP_MS,
} from "../../../../transforms/primitives/timestamp-bounds.js";
import {
  GLOBAL_WINDOW,
  IntervalWindow,
  NO_FIRING,
  type PaneInfo,
  type Window,
} from "../../../../transforms/primitives/window.js";
import { checkProperty } from "../../../support/check-property.js";
import { assertCarries } from "./encodings.js";

const text = fc.string({ unit: "binary" });
const bytes = fc.uint8Array().map((array) => Uint8Array.from(array));
const int64 = fc
  .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
  .map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value));
const integers = fc.oneof(int64, fc.maxSafeInteger(), fc.integer({ min: -300, max: 300 }));
const safeTimes = fc.oneof(fc.maxSafeInteger(), fc.constantFrom(MIN_TIMESTAMP_MS, MAX_TIMESTAMP_MS, 0, -1));
const times = fc.oneof(safeTimes, fc.constant(GLOBAL_WINDOW_END_MS));
const intervals = fc
  .tuple(safeTimes, safeTimes)
  .map(([a, b]) => new IntervalWindow(Math.min(a, b), Math.max(a, b)));
const panes: fc.Arbitrary<PaneInfo> = fc.oneof(
  fc.constant(NO_FIRING),
  fc
    .record({
      timing: fc.constantFrom("EARLY" as const, "ON_TIME" as const, "LATE" as const),
      isFirst: fc.boolean(),
      isLast: fc.boolean(),
      index: fc.nat(),
      nonSpeculativeIndex: fc.nat({ max: 300 }),
    })
    .map((pane) => (pane.timing === "EARLY" ? { ...pane, nonSpeculativeIndex: -1 } : pane)),
);
const header = fc.record({
  timestampMs: times,
  windows: fc.array(intervals as fc.Arbitrary<Window>, { minLength: 1, maxLength: 3 }),
  pane: panes,
});

function carries<T>(name: string, coder: Coder<T>, values: fc.Arbitrary<T>): void {
  it(`${name} carries every value`, () => {
    checkProperty(
      fc.property(values, (value) => assertCarries(coder, value)),
      200,
    );
  });
}

describe("coders", () => {
  const varint = new VarIntCoder();
  const string = new StringUtf8Coder();
  const interval = new IntervalWindowCoder();
  carries("VarIntCoder", varint, integers);
  carries("DoubleCoder", new DoubleCoder(), fc.double());
  carries("BoolCoder", new BoolCoder(), fc.boolean());
  carries("StringUtf8Coder", string, fc.oneof(text, fc.string({ minLength: 40, maxLength: 200 })));
  carries("BytesCoder", new BytesCoder(), bytes);
  carries("KVCoder", new KVCoder(string, varint), fc.record({ key: text, value: integers }));
  carries("IterableCoder", new IterableCoder(string), fc.array(text));
  carries("StateBackedIterableCoder", new StateBackedIterableCoder(varint), fc.array(integers));
  carries("LengthPrefixCoder", new LengthPrefixCoder(string), text);
  carries("LengthPrefixCoder of long values", new LengthPrefixCoder(new BytesCoder()), longBytes());
  carries("NullableCoder", new NullableCoder(string), fc.option(text));
  carries("ShardedKeyCoder", new ShardedKeyCoder(string), fc.record({ key: text, shardId: bytes }));
  carries("GlobalWindowCoder", new GlobalWindowCoder(), fc.constant(GLOBAL_WINDOW));
  carries("IntervalWindowCoder", interval, intervals);
  carries("CustomWindowCoder", new CustomWindowCoder(interval as Coder<unknown>), intervals);
  carries(
    "WindowedValueCoder",
    new WindowedValueCoder(string, interval as Coder<Window>),
    fc.tuple(header, text).map(([rest, value]) => ({ value, ...rest })),
  );
  carries(
    "TimerCoder",
    new TimerCoder(string, interval as Coder<Window>),
    fc.tuple(header, text, text, times).map(([{ timestampMs, windows, pane }, userKey, tag, hold]) => ({
      userKey,
      dynamicTimerTag: tag,
      windows,
      clearBit: false as const,
      fireTimestampMs: timestampMs,
      holdTimestampMs: hold,
      pane,
    })),
  );
  it("ParamWindowedValueCoder carries every value with the header of its payload", () => {
    checkProperty(
      fc.property(header, text, (rest, value) => {
        const coder = new ParamWindowedValueCoder(rest, string, interval as Coder<Window>);
        assertCarries(coder, { value, ...rest });
        const { payload } = coder.toProto({ getCoderId: () => "c" }).spec!;
        assertCarries(new ParamWindowedValueCoder(payload, string, interval as Coder<Window>), {
          value,
          ...rest,
        });
      }),
      100,
    );
  });
});

function longBytes(): fc.Arbitrary<Uint8Array> {
  return fc.constantFrom(127, 128, 16383, 16384, 100_000).map((length) => new Uint8Array(length).fill(7));
}
