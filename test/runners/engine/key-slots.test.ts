/** KeySlots: which keys leave the memory, and what it costs to find that out. */
import { assert } from "chai";
import type { ColdKeys } from "../../../runners/engine/durable/cold-keys.js";
import { KeySlots, type SlotRecords } from "../../../runners/engine/key-slots.js";

const WINDOWS = 20;
/** Of one key, beside its record. */
const KEY_BYTES = 1_000;

/** What a store has of all keys as soon as they are there. */
function slotsOf(): { slots: KeySlots; looks: () => number; resident: () => number } {
  const cold: Partial<ColdKeys> = { given: 1 };
  const records: Partial<SlotRecords> = {
    cold: cold as ColdKeys,
    changed: () => undefined,
    windowChanged: () => undefined,
  };
  const slots = new KeySlots(0, false, records as SlotRecords);
  slots.residence = { loaded: () => undefined, leaving: () => undefined };
  let looks = 0;
  const window = (n: number) => ({ id: `w${n}`, maxTimestampMs: n });
  for (let n = 0; n < WINDOWS; n++) {
    slots.cells("k", window(n));
    const slot = slots.resident("k", `w${n}`)!;
    slot.isRecorded = true;
    const { slots: keys } = slot.live;
    const values = keys.values.bind(keys);
    keys.values = () => {
      looks++;
      return values();
    };
  }
  const resident = () => {
    let count = 0;
    for (let n = 0; n < WINDOWS; n++) if (slots.resident("k", `w${n}`) !== undefined) count++;
    return count;
  };
  return { slots, looks: () => looks, resident };
}

describe("KeySlots", () => {
  it("lets go of no more keys than it has to, and looks at no window behind them", () => {
    const { slots, looks, resident } = slotsOf();
    slots.release(WINDOWS * KEY_BYTES);
    assert.deepEqual([resident(), looks()], [WINDOWS, 0]);
    // Once through all, since all were used, and then to where it is enough.
    slots.release((WINDOWS - 3) * KEY_BYTES);
    assert.deepEqual([resident(), looks()], [WINDOWS - 3, WINDOWS + 3]);
    slots.release(0);
    assert.equal(resident(), 0);
  });
});
