/** What a valid user event is: the rules of its fields, and the canonical value each becomes. */
import { z } from "zod";
import { canonicalDecimal } from "../transforms/decimal.js";
import { canonicalTimestamp } from "../transforms/timestamp.js";
import { defineSchema } from "../transforms/validate.js";

const idCodePointsMax = 64;
const priceScale = 2;

const eventTypes = ["view", "add_to_cart", "purchase"] as const;

/**
 * Lengths count code points; nothing is trimmed. Whitespace is what JavaScript's `\s` takes, U+FEFF
 * included; control characters are Unicode's category Cc; a lone surrogate is no character at all.
 */
const id = canonical(
  `must be 1 to ${idCodePointsMax} characters without whitespace or control characters`,
  (text) => (ASCII_ID.test(text) || ANY_ID.test(text) ? text : undefined),
);

const price = canonical("must be 1 to 8 digits and at most 2 more after a point", (text) =>
  canonicalDecimal(text, priceScale),
);

const timestamp = canonical(
  "must be an existing YYYY-MM-DD[T ]HH:MM:SS[.1 to 9 digits][Z or +-HH:MM] in the years 0001 to 9999 UTC",
  canonicalTimestamp,
);

/** A user event as it is stored: all text, `price` with two decimals, `event_timestamp` in UTC with microseconds. */
export type UserEvent = z.output<typeof userEvent>;

// The order of the keys decides which failing field gives a dead letter its reason.
const userEvent = z.object({
  event_id: id,
  user_id: id,
  event_type: z.enum(eventTypes, { error: `must be one of ${eventTypes.join(", ")}` }),
  product_id: id,
  price,
  event_timestamp: timestamp,
});

/** The schema of user events, known to a graph as `user-event`. */
export const userEventSchema = defineSchema("user-event", userEvent);

/** Decides nearly every identifier, several times faster than the general rule. */
const ASCII_ID = new RegExp(`^[!-~]{1,${idCodePointsMax}}$`);
const ANY_ID = new RegExp(`^[^\\s\\p{Cc}\\p{Cs}]{1,${idCodePointsMax}}$`, "u");

/** Text that `parse` turns into its canonical form: checked and replaced in one go, so it is read only once. */
function canonical(rule: string, parse: (text: string) => string | undefined) {
  return z.string().check((payload) => {
    const value = parse(payload.value);
    if (value !== undefined) payload.value = value;
    else payload.issues.push({ code: "custom", message: rule, input: payload.value });
  });
}
