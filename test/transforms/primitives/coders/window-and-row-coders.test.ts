/** Coders of windows, panes and rows: Beam's bounds, schemas that change, and what they refuse. */
import { expect } from "chai";
import { NullableCoder } from "../../../../transforms/primitives/coders/composite-coders.js";
import { decodeFromBytes, encodeToBytes } from "../../../../transforms/primitives/coders/encode.js";
import { GeneralObjectCoder } from "../../../../transforms/primitives/coders/general-object-coder.js";
import {
  IterableCoder,
  StateBackedIterableCoder,
} from "../../../../transforms/primitives/coders/iterable-coders.js";
import { type Row, RowCoder } from "../../../../transforms/primitives/coders/row-coder.js";
import {
  BytesCoder,
  StringUtf8Coder,
  VarIntCoder,
} from "../../../../transforms/primitives/coders/scalar-coders.js";
import { type Coder, schemaApi } from "../../../../transforms/primitives/coders/sdk.js";
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
  IN_GLOBAL_WINDOW,
  IntervalWindow,
  NO_FIRING,
  type Window,
} from "../../../../transforms/primitives/window.js";
import { fixedWindows } from "../../../../transforms/primitives/window-fns.js";
import { assertCarries, hexOf, messageOf } from "./encodings.js";

function refusal<T>(coder: Coder<T>, value: unknown): string {
  return messageOf(() => encodeToBytes(coder, value as T));
}

describe("window coders", () => {
  const string = new StringUtf8Coder();
  const inGlobal = new WindowedValueCoder(string, new GlobalWindowCoder());
  const at = (timestampMs: number) => ({
    value: "",
    timestampMs,
    windows: IN_GLOBAL_WINDOW,
    pane: NO_FIRING,
  });

  it("carry a window that begins before the beginning of time", () => {
    const window = new IntervalWindow(-9223372036855000, -9223372036854000);
    const coder = new IntervalWindowCoder();
    const { startMs, endMs } = decodeFromBytes(coder, encodeToBytes(coder, window));
    expect([startMs, endMs]).to.deep.equal([window.startMs, window.endMs]);
  });

  it("write the last window's end as Beam's, 1 ms behind the last time of the global window", () => {
    const [window] = fixedWindows(3_600_000).assign(GLOBAL_WINDOW_END_MS, undefined);
    const coder = new IntervalWindowCoder();
    const bytes = encodeToBytes(coder, window!);
    expect(Buffer.from(bytes).readBigUInt64BE() - 2n ** 63n).to.equal(9223371950454775n + 1n);
    expect(decodeFromBytes(coder, bytes).id).to.equal(window!.id);
  });

  it("write our bounds of time as Beam's, and read them back", () => {
    const cases: [number, bigint][] = [
      [MIN_TIMESTAMP_MS, -9223372036854775n],
      [MAX_TIMESTAMP_MS, 9223372036854775n],
      [GLOBAL_WINDOW_END_MS, 9223371950454775n],
      [0, 0n],
      [-1, -1n],
    ];
    for (const [ms, beamMs] of cases) {
      const bytes = encodeToBytes(inGlobal, at(ms));
      const written = Buffer.from(bytes).readBigUInt64BE() - 2n ** 63n;
      expect(written).to.equal(beamMs);
      expect(decodeFromBytes(inGlobal, bytes).timestampMs).to.equal(ms);
    }
  });

  it("share what all elements have: the global window and the pane of no firing", () => {
    const decoded = decodeFromBytes(inGlobal, encodeToBytes(inGlobal, at(1)));
    expect(decoded.windows[0]).to.equal(GLOBAL_WINDOW);
    expect(decoded.pane).to.equal(NO_FIRING);
  });

  it("read a time that no number holds as the nearest one: the last of a window from before the beginning", () => {
    const instant = (millis: bigint) => {
      const bytes = Buffer.from(encodeToBytes(inGlobal, at(0)));
      bytes.writeBigUInt64BE(millis + 2n ** 63n);
      return decodeFromBytes(inGlobal, bytes).timestampMs;
    };
    const endMs = -9223372036854000;
    expect(instant(BigInt(endMs) - 1n)).to.equal(new IntervalWindow(endMs - 1_000, endMs).maxTimestampMs);
    expect(instant(-9223372036854775n)).to.equal(MIN_TIMESTAMP_MS);
    expect(instant(9007199254740993n)).to.equal(9007199254740992);
  });

  it("refuse times that are none, and ones that are not Beam's", () => {
    const range = `from ${MIN_TIMESTAMP_MS} to ${MAX_TIMESTAMP_MS}`;
    expect(refusal(inGlobal, at(1.5))).to.equal(
      `value.timestampMs: must be a whole number of milliseconds ${range}, got 1.5`,
    );
    expect(refusal(inGlobal, at(Number.POSITIVE_INFINITY))).to.match(/^value\.timestampMs: .* got Infinity$/);
    const odd = Buffer.from(encodeToBytes(inGlobal, at(0)));
    odd.writeBigUInt64BE(9223372036854777n + 2n ** 63n);
    expect(messageOf(() => decodeFromBytes(inGlobal, odd))).to.equal(
      "the time 9223372036854777 ms is not within Beam's, from -9223372036854775 to 9223372036854775",
    );
  });

  it("refuse windows of other kinds", () => {
    const hour = new IntervalWindow(0, 3_600_000);
    expect(refusal(new GlobalWindowCoder(), hour)).to.equal(
      'value: must be the global window, got the window "0/3600000"',
    );
    expect(refusal(inGlobal, { ...at(0), windows: [GLOBAL_WINDOW, hour] })).to.match(
      /^value\.windows\[1\]: must be/,
    );
    expect(refusal(new IntervalWindowCoder(), GLOBAL_WINDOW)).to.equal(
      'value: must be a window from startMs to endMs, got the window ""',
    );
    expect(refusal(new IntervalWindowCoder(), new IntervalWindow(5, 1))).to.match(
      /^value: must be a window from/,
    );
  });

  it("refuse panes whose indices the encoding cannot tell", () => {
    const pane = { timing: "EARLY" as const, isFirst: true, isLast: false, index: 0, nonSpeculativeIndex: 0 };
    expect(refusal(inGlobal, { ...at(0), pane })).to.equal(
      "value.pane: a pane of timing EARLY cannot have the indices 0 and 0",
    );
  });

  it("CustomWindowCoder reads a window of a form it does not know as its bytes and its end", () => {
    const known = new CustomWindowCoder(new IntervalWindowCoder() as Coder<unknown>);
    const opaque = new CustomWindowCoder(new BytesCoder() as Coder<unknown>);
    const window = new IntervalWindow(0, 1000);
    expect(decodeFromBytes(known, encodeToBytes(known, window))).to.deep.equal(window);
    const bytes = encodeToBytes(known, window);
    const decoded = decodeFromBytes(opaque, bytes);
    expect(decoded).to.deep.include({ maxTimestampMs: 999, window: bytes.slice(8) });
    expect(encodeToBytes(opaque, decoded)).to.deep.equal(bytes);
    const other = new IntervalWindow(0, 1001);
    const otherDecoded = decodeFromBytes(opaque, encodeToBytes(known, other));
    expect(otherDecoded.id).not.to.equal(decoded.id);
  });

  it("TimerCoder carries a timer without a hold as one whose hold is 1 ms behind Beam's time", () => {
    const coder = new TimerCoder(string, new GlobalWindowCoder());
    const timer = {
      userKey: "k",
      dynamicTimerTag: "",
      windows: [...IN_GLOBAL_WINDOW],
      clearBit: false as const,
      fireTimestampMs: 5,
      holdTimestampMs: undefined,
      pane: NO_FIRING,
    };
    assertCarries(coder, timer);
    const bytes = Buffer.from(encodeToBytes(coder, timer));
    const hold = bytes.readBigUInt64BE(bytes.length - 9) - 2n ** 63n; // the sign bit is turned over
    expect(hold).to.equal(9223372036854776n);
    bytes.writeBigUInt64BE(9223372036854776n + 2n ** 63n, bytes.length - 17);
    const fired = decodeFromBytes(coder, bytes); // as Prism tells of it when the clock has fired it
    expect(fired).to.deep.equal({ ...timer, fireTimestampMs: MAX_TIMESTAMP_MS });
    assertCarries(coder, { ...timer, holdTimestampMs: 5 });
    assertCarries(coder, { ...timer, holdTimestampMs: MAX_TIMESTAMP_MS });
  });

  it("TimerCoder carries a cleared timer", () => {
    const coder = new TimerCoder(string, new GlobalWindowCoder());
    const cleared = {
      userKey: "k",
      dynamicTimerTag: "",
      windows: [...IN_GLOBAL_WINDOW],
      clearBit: true as const,
    };
    assertCarries(coder, cleared);
  });

  it("ParamWindowedValueCoder refuses another event time than its payload's", () => {
    const { value: _, ...header } = at(1000);
    const coder = new ParamWindowedValueCoder(header, string, new GlobalWindowCoder() as Coder<Window>);
    expect(refusal(coder, at(1001))).to.equal(
      "value: has another event time, window or pane than the coder's payload",
    );
  });
});

describe("iterable coders", () => {
  it("write an iterable of unknown length in chunks, and read it as an array", () => {
    function* numbers(count: number) {
      for (let i = 0; i < count; i++) yield i;
    }
    const coder = new IterableCoder(new VarIntCoder());
    for (const count of [0, 1, 99, 100, 101, 250]) {
      const bytes = encodeToBytes(coder, numbers(count));
      expect(Buffer.from(bytes).readInt32BE()).to.equal(-1);
      const decoded = decodeFromBytes(coder, bytes);
      expect(decoded).to.deep.equal([...numbers(count)]);
    }
    expect(hexOf(encodeToBytes(coder, new Set([1, 2])))).to.equal("000000020102");
  });

  it("name the element that cannot be carried", () => {
    const coder = new IterableCoder(new GeneralObjectCoder());
    expect(refusal(coder, [1, { f: () => 1 }])).to.equal("value[1].f: a function cannot be encoded");
    const chunked = (function* () {
      for (let i = 0; i < 150; i++) yield i === 120 ? Symbol() : i;
    })();
    expect(refusal(coder, chunked)).to.equal("value[120]: a symbol cannot be encoded");
    expect(refusal(coder, "text")).to.equal('value: must be an iterable, got the string "text"');
  });

  it("StateBackedIterableCoder asks for the rest each time somebody comes to it, or refuses", () => {
    const coder = new StateBackedIterableCoder(new VarIntCoder());
    const bytes = Buffer.from("ffffffff0105ffffffffffffffffff0101aa", "hex");
    const tokens: string[] = [];
    const decoded = decodeFromBytes(coder, bytes, (token) => {
      tokens.push(hexOf(token));
      return [7, 8];
    });
    expect(tokens).to.deep.equal([]);
    expect([...decoded]).to.deep.equal([5, 7, 8]);
    expect([...decoded]).to.deep.equal([5, 7, 8]);
    expect(tokens).to.deep.equal(["aa", "aa"]);
    expect(messageOf(() => decodeFromBytes(coder, bytes))).to.match(/no resolveState was given/);
    expect(messageOf(() => decodeFromBytes(new IterableCoder(new VarIntCoder()), bytes))).to.equal(
      "-1 is no number of elements of an iterable",
    );
  });

  it("NullableCoder reads undefined as null", () => {
    const coder = new NullableCoder(new VarIntCoder());
    expect(decodeFromBytes(coder, encodeToBytes(coder, undefined))).to.equal(null);
  });
});

describe("RowCoder", () => {
  const { AtomicType } = schemaApi;
  const atomic = (atomicType: schemaApi.AtomicType, nullable = false): schemaApi.FieldType => ({
    nullable,
    typeInfo: { oneofKind: "atomicType", atomicType },
  });
  const coderOf = (fields: Record<string, schemaApi.FieldType>) =>
    new RowCoder(
      schemaApi.Schema.create({
        id: "test",
        fields: Object.entries(fields).map(([name, type]) => schemaApi.Field.create({ name, type })),
      }),
    );
  const logical = (urn: string, representation: schemaApi.FieldType): schemaApi.FieldType => ({
    nullable: false,
    typeInfo: {
      oneofKind: "logicalType",
      logicalType: schemaApi.LogicalType.create({ urn, representation }),
    },
  });

  it("carries every atomic type at its limits", () => {
    const coder = coderOf({
      byte: atomic(AtomicType.BYTE),
      int16: atomic(AtomicType.INT16),
      int32: atomic(AtomicType.INT32),
      int64: atomic(AtomicType.INT64),
      float: atomic(AtomicType.FLOAT),
      double: atomic(AtomicType.DOUBLE),
      text: atomic(AtomicType.STRING),
      yes: atomic(AtomicType.BOOLEAN),
      bytes: atomic(AtomicType.BYTES),
    });
    for (const sign of [1, -1]) {
      assertCarries<Row>(coder, {
        byte: sign === 1 ? 127 : -128,
        int16: sign === 1 ? 32767 : -32768,
        int32: sign === 1 ? 2 ** 31 - 1 : -(2 ** 31),
        int64: sign === 1 ? 2n ** 63n - 1n : -(2n ** 63n),
        float: sign * 0.5,
        double: sign * Number.MIN_VALUE,
        text: "käse",
        yes: sign === 1,
        bytes: Uint8Array.of(0),
      });
    }
  });

  it("carries rows, arrays with nulls and maps within a row", () => {
    const inner = coderOf({ n: atomic(AtomicType.INT64, true) }).schema;
    const coder = coderOf({
      row: { nullable: true, typeInfo: { oneofKind: "rowType", rowType: { schema: inner } } },
      list: {
        nullable: false,
        typeInfo: { oneofKind: "arrayType", arrayType: { elementType: atomic(AtomicType.STRING, true) } },
      },
      map: {
        nullable: false,
        typeInfo: {
          oneofKind: "mapType",
          mapType: { keyType: atomic(AtomicType.INT64), valueType: atomic(AtomicType.STRING) },
        },
      },
    });
    assertCarries<Row>(coder, { row: { n: null }, list: ["a", null], map: new Map([[1, "b"]]) });
    assertCarries<Row>(coder, { row: null, list: [], map: new Map() });
    expect(refusal(coder, { row: { n: 0.5 }, list: [], map: {} })).to.equal(
      "value.row.n: must be an integer, got 0.5",
    );
    expect(refusal(coder, { list: ["a", 1], map: {} })).to.equal("value.list[1]: must be a string, got 1");
  });

  it("reads rows of an older schema, the fields added since as null", () => {
    const older = coderOf({ a: atomic(AtomicType.STRING) });
    const newer = coderOf({ a: atomic(AtomicType.STRING), b: atomic(AtomicType.STRING, true) });
    expect(decodeFromBytes(newer, encodeToBytes(older, { a: "x" }))).to.deep.equal({ a: "x", b: null });
    expect(decodeFromBytes(older, encodeToBytes(newer, { a: "x", b: "y" }))).to.deep.equal({ a: "x" });
  });

  it("has one null bit a field beyond eight, in the order of the schema", () => {
    const names = Array.from({ length: 10 }, (_, i) => `f${i}`);
    const coder = coderOf(Object.fromEntries(names.map((name) => [name, atomic(AtomicType.INT64, true)])));
    const nulls = new Set(["f0", "f4", "f7", "f9"]);
    const row = Object.fromEntries(names.map((name) => [name, nulls.has(name) ? null : 0]));
    expect(hexOf(encodeToBytes(coder, row))).to.equal(`0a029102${"00".repeat(6)}`);
    assertCarries<Row>(coder, row);
  });

  it("refuses what would be changed or lost", () => {
    const coder = coderOf({
      byte: atomic(AtomicType.BYTE, true),
      int32: atomic(AtomicType.INT32, true),
      float: atomic(AtomicType.FLOAT, true),
      must: atomic(AtomicType.STRING),
    });
    const must = "";
    expect(refusal(coder, { must, byte: 128 })).to.equal("value.byte: must be an integer of 8 bits, got 128");
    expect(refusal(coder, { must, int32: 2 ** 31 })).to.match(/^value\.int32: must be an integer of 32 bits/);
    expect(refusal(coder, { must, float: 0.1 })).to.match(
      /^value\.float: 0\.1 is not a number of single precision/,
    );
    expect(refusal(coder, { byte: 1 })).to.equal("value.must: is not nullable and has no value");
    expect(refusal(coder, { must, other: 1 })).to.equal("value.other: is not in the schema of the row");
    expect(refusal(coder, null)).to.equal("value: must be an object with the fields of a row, got null");
  });

  it("carries decimals digit by digit, and instants as dates", () => {
    const bytes = atomic(AtomicType.BYTES);
    const coder = coderOf({
      d: logical("beam:logical_type:decimal:v1", bytes),
      t: logical("beam:logical_type:millis_instant:v1", atomic(AtomicType.INT64)),
    });
    for (const d of [
      "0",
      "0.00",
      "-0.01",
      "12345678901234567890.12345678901234567890",
      "15E+3",
      "128",
      "-129",
    ]) {
      assertCarries<Row>(coder, { d, t: new Date(-1) });
    }
    for (const d of ["1.", "01", "+1", "1e3", "NaN", 1.5, "-0.0"]) {
      expect(refusal(coder, { d, t: new Date(0) })).to.match(/^value\.d: /);
    }
    expect(refusal(coder, { d: "1", t: new Date(Number.NaN) })).to.match(/^value\.t: must be a valid Date/);
  });

  it("takes logical types registered with the SDK, and refuses unknown ones by name", () => {
    const schema = schemaApi.Schema.create({ id: "inner" });
    const coder = coderOf({ schema: logical("beam:logical_type:schema:v1", atomic(AtomicType.BYTES)) });
    assertCarries<Row>(coder, { schema });
    expect(messageOf(() => coderOf({ x: logical("acme:type:v1", atomic(AtomicType.BYTES)) }))).to.equal(
      'field "x" of a row: has the unknown logical type "acme:type:v1"',
    );
  });
});
