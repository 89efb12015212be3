/** A stateful step that does what the values of its elements say. */
import type { Behaviour, KeyedContext } from "./fake-host.js";
import { GraphBuilder } from "./graph-builder.js";
import type { TableOptions } from "./run-table.js";

/** A source, a stateful step S, and whoever takes its output. */
export const stateful = (keyed: Parameters<GraphBuilder["keyed"]>[2] = {}) =>
  new GraphBuilder().source("In").keyed("S", "In", keyed).stage("Out", "S");

/** Elements are commands: `t=10` sets, `t=10>5` holds at 5, `t=10>none` holds nothing, `p=10>5` sets in processing time, `-t` clears, `+` is state. */
const obey = (command: string, context: KeyedContext): void => {
  const setting = /^([a-z]+)=(\d+)(?:>(\d+|none))?$/.exec(command);
  if (setting !== null) {
    const [, family = "", at = "", hold] = setting;
    context.set(family, Number(at), {
      domain: family.startsWith("p") ? "processing-time" : "event-time",
      outputTimestampMs: hold === "none" ? hold : Number(hold ?? at),
    });
  } else if (command.startsWith("-")) {
    context.clear(command.slice(1));
  } else if (command === "+") {
    context.cells.bag("count").append(1);
  } else if (command === "0") {
    context.cells.bag("count").clear();
  }
};

export const obedient: Behaviour = {
  keyed: {
    element: ({ value }, context) => obey((value as { value: string }).value, context),
    timer: ({ family, outputTimestampMs }, context) => {
      if (outputTimestampMs !== undefined) context.say(`${family}!`, outputTimestampMs);
    },
    expiration: (context) =>
      context.say(`gone:${context.cells.bag("count").size}`, context.window.maxTimestampMs),
  },
};
export const obeying: TableOptions = { behaviours: { S: obedient } };
