/** ByteTable compared with a Map. */
import { assert } from "chai";
import fc from "fast-check";
import { ByteTable } from "../../../../runners/direct/local-store/byte-table.js";
import { checkProperty } from "../../../support/check-property.js";

const bytes = (text: string) => Buffer.from(text, "latin1");
const text = (of: Buffer | null | undefined) => of?.toString("latin1");
const entries = (of: Iterable<{ readonly key: Buffer; readonly value: Buffer | undefined }>) =>
  Array.from(of, ({ key, value }) => [text(key)!, text(value)] as const);
const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : 1);

describe("ByteTable", () => {
  it("takes any number of entries, and gives them in order whenever they have come", () => {
    const table = new ByteTable();
    const expected: (readonly [string, string])[] = [];
    const all = () => entries(table.range(bytes(""), bytes("\xff\xff")));
    for (let n = 0; n < 20_000; n++) {
      const key = `key ${(Math.imul(n, 2_654_435_761) >>> 0).toString(36)}`;
      expected.push([key, `value ${n}`]);
      table.set(bytes(key), bytes(`value ${n}`));
      if (n % 3_000 === 7) assert.deepEqual(all(), [...expected].sort(byKey));
    }
    assert.deepEqual(all(), [...expected].sort(byKey));
    assert.deepEqual(entries(table.nearlySorted()).sort(byKey), [...expected].sort(byKey));
    assert.equal(table.size, expected.length);
    const before = table.bytes;
    table.clear();
    assert.deepEqual([table.size, table.bytes, all()], [0, 0, []]);
    for (const [key, value] of expected) table.set(bytes(key), bytes(value));
    assert.equal(table.bytes, before);
  });

  it("keeps its memory when it is emptied, but not that of a single large change", () => {
    const table = new ByteTable();
    const held = () => table.get(bytes("k"))!.buffer.byteLength;
    for (const size of [40_000_000, 140_000_000]) {
      table.set(bytes("large"), Buffer.allocUnsafe(size));
      table.set(bytes("k"), bytes("v"));
      const before = held();
      assert.isAtLeast(before, size);
      table.clear();
      assert.equal(table.size, 0);
      table.set(bytes("k"), bytes("v"));
      assert.equal(held(), size < 100_000_000 ? before : 4_096);
      assert.deepEqual(entries(table.range(bytes(""), bytes("z"))), [["k", "v"]]);
    }
  });

  it("does what a Map does: puts, puts anew, removals, all away", () => {
    // Long beginnings in common, keys that begin with others, bytes of all kinds.
    const key = fc
      .tuple(
        fc.constantFrom("", "aaaaaaaaaaaa", "aaaaaaaaaaab", "\xff"),
        fc.array(fc.constantFrom("\0", "a", "\x7f", "\xff"), { maxLength: 4 }),
      )
      .map(([start, end]) => start + end.join(""));
    const operation = fc.oneof(
      { weight: 20, arbitrary: fc.tuple(key, fc.string({ unit: "binary-ascii", maxLength: 9 })) },
      { weight: 8, arbitrary: fc.tuple(key, fc.constant(undefined)) },
      { weight: 4, arbitrary: fc.record({ from: key, until: key }) },
      { weight: 1, arbitrary: fc.constant("clear" as const) },
    );
    const property = fc.property(fc.array(operation, { maxLength: 150 }), (operations) => {
      const table = new ByteTable();
      const model = new Map<string, string | undefined>();
      for (const op of operations) {
        if (op === "clear") {
          table.clear();
          model.clear();
        } else if ("from" in op) {
          const expected = [...model].filter(([one]) => one >= op.from && one < op.until).sort(byKey);
          assert.deepEqual(entries(table.range(bytes(op.from), bytes(op.until))), expected);
        } else {
          table.set(bytes(op[0]), op[1] === undefined ? undefined : bytes(op[1]));
          model.set(op[0], op[1]);
          assert.equal(text(table.get(bytes(op[0]))), op[1]);
        }
        assert.equal(table.size, model.size);
      }
      for (const [one, value] of model) {
        assert.isDefined(table.get(bytes(one)));
        assert.equal(table.get(bytes(one)) === null, value === undefined);
        assert.equal(text(table.get(bytes(one))), value);
      }
      assert.isUndefined(table.get(bytes("none of these")));
      assert.deepEqual(entries(table.nearlySorted()).sort(byKey), [...model].sort(byKey));
    });
    checkProperty(property, 500);
  });
});
