/** The sessions, the shop and the randomness that the events are made of. */
import { expect } from "chai";
import { SeededRandom } from "../../data/generate/seeded-random.js";
import { createShopCatalogue } from "../../data/generate/shop-catalogue.js";
import { ShoppingSessions } from "../../data/generate/shopping-sessions.js";
import { countBy } from "../support/generated-files.js";

describe("ShoppingSessions", () => {
  const sessions = () => new ShoppingSessions(createShopCatalogue(3), new SeededRandom("3"), 100);

  it("goes from view to cart to purchase for every user and product", () => {
    const shop = sessions();
    const before = new Map<string, string>();
    const steps = new Set<string>();
    for (let index = 0; index < 100_000; index++) {
      const { userId, eventType, product } = shop.next();
      const key = `${userId} ${product.productId}`;
      steps.add(`${before.get(key) ?? "first"} ${eventType}`);
      before.set(key, eventType);
    }
    expect([...steps].sort()).to.deep.equal([
      "add_to_cart purchase",
      // What a user did in an earlier session is over: looking at the product begins anew.
      "add_to_cart view",
      "first view",
      "purchase view",
      "view add_to_cart",
      "view view",
    ]);
  });

  it("interleaves users and loses some of them on every step", () => {
    const shop = sessions();
    const events = Array.from({ length: 20_000 }, () => shop.next());
    const switches = events.filter(({ userId }, index) => events[index - 1]?.userId !== userId).length;
    expect(switches / events.length).to.be.greaterThan(0.9);
    const { view, add_to_cart, purchase } = countBy(events.map(({ eventType }) => eventType));
    expect(view! / events.length).to.be.closeTo(0.72, 0.02);
    expect(add_to_cart! / events.length).to.be.closeTo(0.17, 0.02);
    expect(purchase! / events.length).to.be.closeTo(0.1, 0.02);
  });
});

describe("createShopCatalogue()", () => {
  it("gives the same shop for the same seed, another for another", () => {
    expect(createShopCatalogue(5)).to.deep.equal(createShopCatalogue(5));
    expect(createShopCatalogue(5).products[0]).to.not.deep.equal(createShopCatalogue(6).products[0]);
  });

  it("names products and users by unique ids that the pipeline accepts, with exact prices", () => {
    const { products, users } = createShopCatalogue(5);
    const ids = [...products.map(({ productId }) => productId), ...users];
    expect(new Set(ids).size).to.equal(ids.length);
    expect(ids.filter((id) => !/^[a-z0-9-]{1,64}$/.test(id))).to.deep.equal([]);
    expect(products.filter(({ price }) => !/^\d{1,3}\.\d\d$/.test(price))).to.deep.equal([]);
  });
});

describe("SeededRandom", () => {
  it("makes unique UUIDs of version 4, the same for the same seed", () => {
    const uuids = (seed: string) => {
      const random = new SeededRandom(seed);
      const bytes = new Uint8Array(36);
      return Array.from({ length: 10_000 }, () => {
        random.writeUuid(bytes, 0);
        return Buffer.from(bytes).toString("latin1");
      });
    };
    const made = uuids("a");
    const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
    expect(made.filter((uuid) => !shape.test(uuid))).to.deep.equal([]);
    expect(new Set(made).size).to.equal(10_000);
    expect(uuids("a")).to.deep.equal(made);
    expect(uuids("b")[0]).to.not.equal(made[0]);
  });

  it("spreads numbers evenly over its range", () => {
    const random = new SeededRandom("even");
    const counts = countBy(Array.from({ length: 60_000 }, () => String(random.below(6))));
    expect(Object.keys(counts)).to.deep.equal(["0", "1", "2", "3", "4", "5"]);
    for (const times of Object.values(counts)) expect(times).to.be.closeTo(10_000, 400);
  });
});
