/** Puts our coders where apache-beam looks for its own, so that there is one behaviour whoever made the coder. */

// A coder gets into a process in two ways, and each needs its own measure.
//
// From a proto (`pipeline.context.getCoder`, the SDK's worker): through the SDK's registry, a table from
// URN to constructor. We replace the entries; what is decoded from then on is ours.
//
// By `new VarIntCoder()`, in a user's code or within the SDK's own modules, which hold the classes in
// constants that nobody can exchange. Most of these only write their URN into a graph. But a coder may as
// well be used as it is (a state's, say), and the SDK's would then write 2147483648 as -2147483648. So the
// classes keep their identity, fields and protos, and their `encode` and `decode` ask ours.
//
// Three URNs stay as they are in the SDK's registry: global_window, interval_window and windowed_value. The
// bytes there are right, and what they decode to are the SDK's own windows, with `Long` times and methods,
// which its runner calls; ours are other objects. `coderFromProto` gives ours for these URNs too.
import * as beamCoders from "./beam-coder.js";
import { asBeamCoder, type BeamCoder, convertsTo } from "./beam-coder.js";
import * as bson from "./bson.js";
import { CODER_FACTORIES } from "./coder-from-proto.js";
import * as compositeCoders from "./composite-coders.js";
import { KVCoder, LengthPrefixCoder, NullableCoder } from "./composite-coders.js";
import * as generalCoders from "./general-object-coder.js";
import { bsonObjectCoder, GeneralObjectCoder } from "./general-object-coder.js";
import * as iterableCoders from "./iterable-coders.js";
import { IterableCoder } from "./iterable-coders.js";
import { registryConstructor } from "./register-coder.js";
import * as rowCoders from "./row-coder.js";
import { RowCoder } from "./row-coder.js";
import * as rowFieldCoders from "./row-field-coders.js";
import * as scalarCoders from "./scalar-coders.js";
import { BoolCoder, BytesCoder, DoubleCoder, StringUtf8Coder, VarIntCoder } from "./scalar-coders.js";
import {
  type Coder,
  type Context,
  globalRegistry,
  requireForSerialization,
  type SdkReader,
  SdkRowCoder,
  type SdkWriter,
  type schemaApi,
  sdkJsCoders,
  sdkRequiredCoders,
  sdkStandardCoders,
} from "./sdk.js";
import * as windowCoders from "./window-coders.js";
import { GlobalWindowCoder, IntervalWindowCoder } from "./window-coders.js";
import * as windowedValueCoders from "./windowed-value-coders.js";
import { WindowedValueCoder } from "./windowed-value-coders.js";

const SDK_KEEPS: ReadonlySet<string> = new Set([
  GlobalWindowCoder.URN,
  IntervalWindowCoder.URN,
  WindowedValueCoder.URN,
]);

export function installCoders(): void {
  for (const [urn, factory] of CODER_FACTORIES) {
    if (!SDK_KEEPS.has(urn)) globalRegistry().registerConstructor(urn, registryConstructor(urn, factory));
  }
  replaceScalars();
  replaceComposites();
  nameForSerialization();
}

/**
 * Gives our classes names by which the SDK writes them into a payload. It does so for a DoFn with a side input:
 * with its context goes the PCollection, with that the pipeline, and with that its coders.
 */
function nameForSerialization(): void {
  const modules = [
    beamCoders,
    compositeCoders,
    generalCoders,
    bson,
    iterableCoders,
    rowCoders,
    rowFieldCoders,
    scalarCoders,
    windowCoders,
    windowedValueCoders,
  ];
  const values = modules
    .flatMap((module) => Object.entries(module))
    .filter(([, value]) => typeof value === "function" || typeof value === "object");
  // Under a name of the SDK's, as whoever reads the payload has that: it looks up the names that are in it.
  requireForSerialization(
    "apache-beam",
    Object.fromEntries(values.map(([name, value]) => [`millrace.${name}`, value])),
  );
}

function replaceScalars(): void {
  replace(sdkRequiredCoders.BytesCoder, () => new BytesCoder());
  replace(sdkStandardCoders.StrUtf8Coder, () => new StringUtf8Coder());
  replace(sdkStandardCoders.VarIntCoder, () => new VarIntCoder());
  replace(sdkStandardCoders.DoubleCoder, () => new DoubleCoder());
  replace(sdkStandardCoders.BoolCoder, () => new BoolCoder());
  replace(sdkJsCoders.BsonObjectCoder, () => bsonObjectCoder);
  replace(sdkJsCoders.GeneralObjectCoder, () => new GeneralObjectCoder());
}

function replaceComposites(): void {
  replace(sdkRequiredCoders.KVCoder, (kv) => new KVCoder(kv.keyCoder, kv.valueCoder));
  replace(sdkRequiredCoders.IterableCoder, (iterable) => new IterableCoder(iterable.elementCoder));
  replace(sdkRequiredCoders.LengthPrefixedCoder, (prefixed) => new LengthPrefixCoder(prefixed.elementCoder));
  replace(sdkStandardCoders.NullableCoder, (nullable) => new NullableCoder(nullable.elementCoder));
  replace(SdkRowCoder, (row) => new RowCoder((row as unknown as { schema: schemaApi.Schema }).schema));
}

/** Lets every instance of an SDK's class, made before or later, encode and decode as ours does. */
function replace<C extends object>(
  sdkClass: abstract new (...args: never[]) => C,
  // biome-ignore lint/suspicious/noExplicitAny: a coder of whatever the SDK's is one of
  convert: (coder: C) => BeamCoder<any>,
): void {
  convertsTo(sdkClass, convert);
  const prototype = sdkClass.prototype as Coder<unknown>;
  prototype.encode = function (this: Coder<unknown>, value: unknown, writer: SdkWriter, context: Context) {
    asBeamCoder(this).encode(value, writer, context);
  };
  prototype.decode = function (this: Coder<unknown>, reader: SdkReader, context: Context) {
    return asBeamCoder(this).decode(reader, context);
  };
}

installCoders();
