/** A person's folder and a database of its own for each test of a block. */
import { SqlSession } from "../../sql/sql-session.js";
import { type FreshDatabase, freshDatabase } from "../support/postgres.js";
import { Product } from "../support/product.js";

/** Made anew for each test of a block that calls `useFreshProduct`. */
export let database: FreshDatabase;
export let session: SqlSession;
export let product: Product;

/** Inside of a `describe`: at the top of the file they would be hooks of the whole run. */
export function useFreshProduct(): void {
  beforeEach(async () => {
    database = await freshDatabase();
    session = await SqlSession.connect({ connection: database.connection, applicationName: "test" });
    product = await Product.create(database.url);
  });
  afterEach(async () => {
    await product.clear();
    await session.close();
    await database.drop();
  });
}
