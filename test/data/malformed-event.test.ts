/** Every way to break a record is refused for the reason it names. */
import { expect } from "chai";
import { eventRecord, malformedKinds } from "../../data/generate/malformed-event.js";
import { refusalOf } from "../support/generated-files.js";

const good = {
  eventId: "953447fe-9cf3-4528-9967-a43d350c7804",
  userId: "maria-00042",
  eventType: "view",
  productId: "rustic-cotton-chair-0042",
  price: "17.95",
  eventTimestamp: "2025-01-01T00:00:00.000000Z",
};

describe("malformedKinds", () => {
  it("breaks a record that was valid", () => {
    expect(refusalOf(eventRecord(good))).to.equal(undefined);
  });

  for (const [index, kind] of malformedKinds.entries()) {
    it(`kind ${index} is refused as ${kind.reason}, on one line`, () => {
      const record = kind.record(good);
      expect(refusalOf(record)).to.equal(kind.reason);
      expect(record).to.not.match(/[\r\n]/);
    });
  }
});
