/** The shop of a run: its products with names and prices, and its users, made once from the seed. */
// The one language: the whole package takes 150 ms and 30 MB more to load.
import { faker } from "@faker-js/faker/locale/en";

/** What the shop sells. */
export interface Product {
  /** Readable and unique, e.g. `rustic-cotton-chair-0042`; at most 64 characters of `[a-z0-9-]`. */
  readonly productId: string;
  readonly name: string;
  /** Two decimals, e.g. `17.95`; the same in every event, as text because a price is never a float. */
  readonly price: string;
}

/** The products and users that events are about. */
export interface ShopCatalogue {
  readonly products: readonly Product[];
  /** User ids, e.g. `maria-00042`; unique. */
  readonly users: readonly string[];
}

const productCount = 1000;
const userCount = 20_000;
/** The pipeline accepts 64 characters; the number at the end takes five. */
const slugLengthMax = 59;

/**
 * Makes the shop of a seed (an unsigned 32-bit integer). Faker takes microseconds for a name, too slow
 * for every event of a fast stream; per event only `SeededRandom` is asked.
 */
export function createShopCatalogue(seed: number): ShopCatalogue {
  // Shared by the process, but nobody else draws from it before the shop is made.
  faker.seed(seed);
  return {
    products: Array.from({ length: productCount }, (_, index) => {
      const name = faker.commerce.productName();
      const productId = `${slug(name)}-${String(index).padStart(4, "0")}`;
      return { productId, name, price: faker.commerce.price({ min: 0.5, max: 999.99, dec: 2 }) };
    }),
    users: Array.from(
      { length: userCount },
      (_, index) => `${slug(faker.person.firstName())}-${String(index).padStart(5, "0")}`,
    ),
  };
}

function slug(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, slugLengthMax);
}
