/** Coders of elements with event time, windows and pane; and of timers, which have these too. */

import { MAX_TIMESTAMP_MS } from "../timestamp-bounds.js";
import { NO_FIRING, type PaneInfo, type PaneTiming, type Window, type WindowedValue } from "../window.js";
import { asBeamCoder, BeamCoder, coderProto } from "./beam-coder.js";
import { ByteReader } from "./byte-reader.js";
import { ByteWriter } from "./byte-writer.js";
import { DecodeError, describe, EncodeError, within } from "./coder-error.js";
import {
  BEAM_AFTER_MAX,
  fromBeamMillis,
  readBeamMillis,
  readInstant,
  writeBeamMillis,
  writeInstant,
} from "./instant.js";
import { IterableCoder } from "./iterable-coders.js";
import type { Coder, ProtoContext, runnerApi } from "./sdk.js";

const TIMINGS: readonly PaneTiming[] = ["EARLY", "ON_TIME", "LATE", "UNKNOWN"];
// What the upper half of a pane's first byte says of the indices.
const NO_INDEX = 0;
const ONE_INDEX = 1;
const TWO_INDICES = 2;
/** First and last, UNKNOWN, no index: the pane of an element that no trigger fired. */
const UNFIRED_BYTE = 0b1111;

/** An element with everything that Beam tells of it. */
export class WindowedValueCoder<T> extends BeamCoder<WindowedValue<T>> {
  static readonly URN = "beam:coder:windowed_value:v1";
  readonly #element: BeamCoder<T>;
  readonly #windows: IterableCoder<Window>;

  constructor(
    readonly elementCoder: Coder<T>,
    readonly windowCoder: Coder<Window>,
  ) {
    super();
    this.#element = asBeamCoder(elementCoder);
    this.#windows = new IterableCoder(windowCoder);
  }

  override write(element: WindowedValue<T>, out: ByteWriter, nested: boolean): void {
    let segment = ".timestampMs";
    try {
      writeInstant(element.timestampMs, out);
      segment = ".windows";
      this.#windows.write(element.windows, out);
      segment = ".pane";
      writePane(element.pane, out);
      segment = ".value";
      this.#element.write(element.value, out, nested);
    } catch (error) {
      throw within(error, segment);
    }
  }

  override read(input: ByteReader, nested: boolean): WindowedValue<T> {
    const timestampMs = readInstant(input);
    const windows = this.#windows.read(input) as readonly Window[];
    const pane = readPane(input);
    return { value: this.#element.read(input, nested), timestampMs, windows, pane };
  }

  override toProto(context: ProtoContext): runnerApi.Coder {
    const components = [context.getCoderId(this.elementCoder), context.getCoderId(this.windowCoder)];
    return coderProto(WindowedValueCoder.URN, components);
  }
}

/** Everything but the value: what is the same for all elements of a `ParamWindowedValueCoder`. */
export type ElementHeader = Omit<WindowedValue, "value">;

/** Elements that all have the same event time, windows and pane, which stand in the coder's payload. */
export class ParamWindowedValueCoder<T> extends BeamCoder<WindowedValue<T>> {
  static readonly URN = "beam:coder:param_windowed_value:v1";
  readonly #element: BeamCoder<T>;
  readonly #windows: IterableCoder<Window>;
  readonly #payload: Uint8Array;
  readonly header: ElementHeader;

  /** `header` may be the payload of the coder's proto: an encoded windowed value, of whose value nobody asks. */
  constructor(
    header: ElementHeader | Uint8Array,
    readonly elementCoder: Coder<T>,
    readonly windowCoder: Coder<Window>,
  ) {
    super();
    this.#element = asBeamCoder(elementCoder);
    this.#windows = new IterableCoder(windowCoder);
    this.#payload = header instanceof Uint8Array ? header : this.#writeHeader(header, true);
    this.header = this.#readHeader(this.#payload);
  }

  #writeHeader({ timestampMs, windows, pane }: ElementHeader, withEmptyValue: boolean): Uint8Array {
    const out = new ByteWriter();
    writeInstant(timestampMs, out);
    this.#windows.write(windows, out);
    writePane(pane, out);
    if (withEmptyValue) out.varint(0);
    return out.finish();
  }

  #readHeader(payload: Uint8Array): ElementHeader {
    const input = new ByteReader(payload);
    const timestampMs = readInstant(input);
    const windows = this.#windows.read(input) as readonly Window[];
    return Object.freeze({ timestampMs, windows, pane: readPane(input) });
  }

  override write(element: WindowedValue<T>, out: ByteWriter, nested: boolean): void {
    this.#assertSameHeader(element);
    try {
      this.#element.write(element.value, out, nested);
    } catch (error) {
      throw within(error, ".value");
    }
  }

  #assertSameHeader(element: WindowedValue<T>): void {
    const { timestampMs, windows, pane } = this.header;
    if (element.timestampMs === timestampMs && element.windows === windows && element.pane === pane) return;
    const header = this.#writeHeader(element, false);
    if (!header.every((byte, i) => byte === this.#payload[i])) {
      throw new EncodeError("has another event time, window or pane than the coder's payload");
    }
  }

  override read(input: ByteReader, nested: boolean): WindowedValue<T> {
    return { value: this.#element.read(input, nested), ...this.header };
  }

  override toProto(context: ProtoContext): runnerApi.Coder {
    const components = [context.getCoderId(this.elementCoder), context.getCoderId(this.windowCoder)];
    return coderProto(ParamWindowedValueCoder.URN, components, this.#payload);
  }
}

/** The setting of a timer, or its clearing, as it goes between a runner and its workers. */
export type Timer<K = unknown> = TimerSetting<K> | TimerClearing<K>;

interface TimerClearing<K> {
  readonly userKey: K;
  readonly dynamicTimerTag: string;
  readonly windows: readonly Window[];
  readonly clearBit: true;
}

interface TimerSetting<K> extends Omit<TimerClearing<K>, "clearBit"> {
  readonly clearBit: false;
  readonly fireTimestampMs: number;
  /** Undefined: it holds nothing back, and emits nothing. On the wire, 1 ms behind Beam's time. */
  readonly holdTimestampMs: number | undefined;
  readonly pane: PaneInfo;
}

export class TimerCoder<K> extends BeamCoder<Timer<K>> {
  static readonly URN = "beam:coder:timer:v1";
  readonly #key: BeamCoder<K>;
  readonly #windows: IterableCoder<Window>;

  constructor(
    readonly keyCoder: Coder<K>,
    readonly windowCoder: Coder<Window>,
  ) {
    super();
    this.#key = asBeamCoder(keyCoder);
    this.#windows = new IterableCoder(windowCoder);
  }

  override write(timer: Timer<K>, out: ByteWriter): void {
    let segment = ".userKey";
    try {
      this.#key.write(timer.userKey, out, true);
      segment = ".dynamicTimerTag";
      out.lengthAndUtf8(timer.dynamicTimerTag);
      segment = ".windows";
      this.#windows.write(timer.windows, out);
      out.byte(timer.clearBit ? 1 : 0);
      if (timer.clearBit) return;
      segment = ".fireTimestampMs";
      writeInstant(timer.fireTimestampMs, out);
      segment = ".holdTimestampMs";
      if (timer.holdTimestampMs === undefined) writeBeamMillis(BEAM_AFTER_MAX, out);
      else writeInstant(timer.holdTimestampMs, out);
      segment = ".pane";
      writePane(timer.pane, out);
    } catch (error) {
      throw within(error, segment);
    }
  }

  override read(input: ByteReader): Timer<K> {
    const userKey = this.#key.read(input, true);
    const dynamicTimerTag = input.string();
    const windows = this.#windows.read(input) as readonly Window[];
    const clearBit = input.byte() === 1;
    if (clearBit) return { userKey, dynamicTimerTag, windows, clearBit };
    // Prism gives the hold as the time at which a processing-time timer has fired
    const fireTimestampMs = readHold(input) ?? MAX_TIMESTAMP_MS;
    const holdTimestampMs = readHold(input);
    const pane = readPane(input);
    return { userKey, dynamicTimerTag, windows, clearBit, fireTimestampMs, holdTimestampMs, pane };
  }

  override toProto(context: ProtoContext): runnerApi.Coder {
    return coderProto(TimerCoder.URN, [
      context.getCoderId(this.keyCoder),
      context.getCoderId(this.windowCoder),
    ]);
  }
}

function readHold(input: ByteReader): number | undefined {
  const millis = readBeamMillis(input);
  return millis === BEAM_AFTER_MAX ? undefined : fromBeamMillis(millis);
}

function writePane(pane: PaneInfo, out: ByteWriter): void {
  const { index, nonSpeculativeIndex, timing } = pane;
  const timingBits = TIMINGS.indexOf(timing);
  if (timingBits < 0) throw new EncodeError(`must be a pane, got ${describe(pane)}`);
  const form = indexForm(pane);
  out.byte((pane.isFirst ? 1 : 0) | (pane.isLast ? 2 : 0) | (timingBits << 2) | (form << 4));
  if (form !== NO_INDEX) out.varint(index);
  if (form === TWO_INDICES) out.varint(nonSpeculativeIndex);
}

/** How many of its indices a pane writes; the others follow from its timing. */
function indexForm({ index, nonSpeculativeIndex, timing }: PaneInfo): number {
  const isEarly = timing === "EARLY";
  if (
    index < 0 ||
    isEarly !== (nonSpeculativeIndex === -1) ||
    (timing === "UNKNOWN" && index + nonSpeculativeIndex !== 0)
  ) {
    throw new EncodeError(
      `a pane of timing ${timing} cannot have the indices ${index} and ${nonSpeculativeIndex}`,
    );
  }
  if (timing === "UNKNOWN" || (index === 0 && nonSpeculativeIndex === 0)) return NO_INDEX;
  return index === nonSpeculativeIndex || isEarly ? ONE_INDEX : TWO_INDICES;
}

function readPane(input: ByteReader): PaneInfo {
  const byte = input.byte();
  if (byte === UNFIRED_BYTE) return NO_FIRING;
  const form = byte >> 4;
  if (form > TWO_INDICES) throw new DecodeError(`${form} is no form of a pane`);
  const timing = TIMINGS[(byte >> 2) & 3]!;
  const index = form === NO_INDEX ? 0 : Number(input.varint());
  const derived = timing === "EARLY" ? -1 : index;
  const nonSpeculativeIndex = form === TWO_INDICES ? Number(input.varint()) : derived;
  return { timing, isFirst: (byte & 1) !== 0, isLast: (byte & 2) !== 0, index, nonSpeculativeIndex };
}
