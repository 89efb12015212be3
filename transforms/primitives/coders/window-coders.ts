/** Coders of windows: the global one, intervals, and windows of functions that Beam does not know. */
import { GLOBAL_WINDOW, IntervalWindow, type Window } from "../window.js";
import { asBeamCoder, BeamCoder, coderProto } from "./beam-coder.js";
import type { ByteReader } from "./byte-reader.js";
import type { ByteWriter } from "./byte-writer.js";
import { DecodeError, describe, EncodeError, within } from "./coder-error.js";
import {
  fromBeamWindowStart,
  readInstant,
  toBeamMillis,
  toBeamWindowStart,
  writeBeamMillis,
  writeInstant,
} from "./instant.js";
import type { Coder, ProtoContext, runnerApi } from "./sdk.js";

/** No bytes at all: there is one global window. */
export class GlobalWindowCoder extends BeamCoder<Window> {
  static readonly URN = "beam:coder:global_window:v1";

  override write(window: Window): void {
    if (window !== GLOBAL_WINDOW && window?.id !== GLOBAL_WINDOW.id) {
      throw new EncodeError(`must be the global window, got ${describeWindow(window)}`);
    }
  }

  override read(): Window {
    return GLOBAL_WINDOW;
  }

  override toProto(): runnerApi.Coder {
    return coderProto(GlobalWindowCoder.URN);
  }
}

/** The end of a window and its length. */
export class IntervalWindowCoder extends BeamCoder<IntervalWindow> {
  static readonly URN = "beam:coder:interval_window:v1";

  override write(window: IntervalWindow, out: ByteWriter): void {
    const { startMs, endMs } = window ?? {};
    if (typeof startMs !== "number" || typeof endMs !== "number" || !(startMs <= endMs)) {
      throw new EncodeError(`must be a window from startMs to endMs, got ${describeWindow(window)}`);
    }
    writeInstant(endMs, out);
    if (Number.isSafeInteger(startMs) && Number.isSafeInteger(endMs) && endMs - startMs <= 2 ** 52) {
      out.varint(endMs - startMs);
    } else out.varintOfBigint(toBeamMillis(endMs) - toBeamWindowStart(startMs));
  }

  override read(input: ByteReader): IntervalWindow {
    const endMs = readInstant(input);
    const spanMs = input.varint();
    if (spanMs < 0) throw new DecodeError(`a window's length is not negative, got ${spanMs}`);
    const startMs = typeof spanMs === "number" ? endMs - spanMs : undefined;
    if (startMs !== undefined && Number.isSafeInteger(startMs) && Number.isSafeInteger(endMs)) {
      return new IntervalWindow(startMs, endMs);
    }
    return new IntervalWindow(fromBeamWindowStart(toBeamMillis(endMs) - BigInt(spanMs)), endMs);
  }

  override toProto(): runnerApi.Coder {
    return coderProto(IntervalWindowCoder.URN);
  }
}

/** A window whose own form is known only to who made it. */
export interface OpaqueWindow extends Window {
  /** As the component coder reads it. */
  readonly window: unknown;
}

/**
 * A window behind its last event time, so that a runner which does not know the window's own coder
 * knows when it ends.
 */
export class CustomWindowCoder extends BeamCoder<Window> {
  static readonly URN = "beam:coder:custom_window:v1";
  readonly #window: BeamCoder<unknown>;

  constructor(readonly windowCoder: Coder<unknown>) {
    super();
    this.#window = asBeamCoder(windowCoder);
  }

  override write(window: Window, out: ByteWriter, nested: boolean): void {
    if (typeof window?.maxTimestampMs !== "number") {
      throw new EncodeError(`must be a window, got ${describe(window)}`);
    }
    // Far from 1970 a number does not hold the millisecond before every end.
    if (window instanceof IntervalWindow) writeBeamMillis(toBeamMillis(window.endMs) - 1n, out);
    else {
      try {
        writeInstant(window.maxTimestampMs, out);
      } catch (error) {
        throw within(error, ".maxTimestampMs");
      }
    }
    this.#window.write("window" in window ? window.window : window, out, nested);
  }

  override read(input: ByteReader, nested: boolean): Window {
    const maxAt = input.take(8);
    const start = input.pos;
    const window = this.#window.read(input, nested);
    if (isWindow(window)) return window;
    const id = input.buf.toString("latin1", start, input.pos);
    const end = input.pos;
    input.pos = maxAt;
    const maxTimestampMs = readInstant(input);
    input.pos = end;
    const opaque: OpaqueWindow = { id, maxTimestampMs, window };
    return opaque;
  }

  override toProto(context: ProtoContext): runnerApi.Coder {
    return coderProto(CustomWindowCoder.URN, [context.getCoderId(this.windowCoder)]);
  }
}

function isWindow(value: unknown): value is Window {
  const window = value as Partial<Window> | null | undefined;
  return typeof window?.id === "string" && typeof window.maxTimestampMs === "number";
}

function describeWindow(window: unknown): string {
  return isWindow(window) ? `the window ${JSON.stringify(window.id)}` : describe(window);
}
