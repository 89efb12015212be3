/** Shopping sessions of many users at a time: each goes from views to the cart to the purchase, or gives up. */
import type { SeededRandom } from "./seeded-random.js";
import type { Product, ShopCatalogue } from "./shop-catalogue.js";

/** One step of a session; its time and its id are given by whoever asks for it. */
export interface ShopEvent {
  readonly userId: string;
  readonly eventType: "view" | "add_to_cart" | "purchase";
  readonly product: Product;
}

/** How many sessions are open at a time: a user acts about every `secondsBetweenSteps`, within limits. */
const secondsBetweenSteps = 3;
const openSessionsMin = 4;
const openSessionsMax = 1000;

/** Views of other products before the one that the session is about: 0 to this. */
const browsesMax = 3;
/** With the browsing these give about 72 % views, 17 % carts, 11 % purchases. */
const cartShare = 0.6;
const purchaseShare = 0.6;

interface Session {
  readonly userIndex: number;
  readonly product: Product;
  browsesLeft: number;
  next: ShopEvent["eventType"];
}

/**
 * Endless, unbounded in time, in event-time order: `next` gives the next step of a random open session.
 * A user has one session at a time, so among a user's events for a product every `add_to_cart` follows
 * a `view` and every `purchase` an `add_to_cart` of its own session. A session that ends makes room for
 * a new one.
 */
export class ShoppingSessions {
  readonly #catalogue: ShopCatalogue;
  readonly #random: SeededRandom;
  readonly #isShopping: Uint8Array;
  readonly #sessions: Session[];

  constructor(catalogue: ShopCatalogue, random: SeededRandom, eventsPerSecond: number) {
    this.#catalogue = catalogue;
    this.#random = random;
    this.#isShopping = new Uint8Array(catalogue.users.length);
    const wanted = Math.round(eventsPerSecond * secondsBetweenSteps);
    const count = Math.min(Math.max(wanted, openSessionsMin), openSessionsMax);
    this.#sessions = Array.from({ length: count }, () => this.#open());
  }

  /** The next step; earlier calls happened before it. */
  next(): ShopEvent {
    const index = this.#random.below(this.#sessions.length);
    const session = this.#sessions[index]!;
    const userId = this.#catalogue.users[session.userIndex]!;
    if (session.browsesLeft > 0) {
      session.browsesLeft -= 1;
      return { userId, eventType: "view", product: this.#anyProduct() };
    }
    const eventType = session.next;
    if (!this.#advance(session)) {
      this.#isShopping[session.userIndex] = 0;
      this.#sessions[index] = this.#open();
    }
    return { userId, eventType, product: session.product };
  }

  /** A view of any product by any user, outside all sessions. */
  strayView(): ShopEvent {
    const userId = this.#catalogue.users[this.#random.below(this.#catalogue.users.length)]!;
    return { userId, eventType: "view", product: this.#anyProduct() };
  }

  /** Decides what the session does after its current step; false: it ends. */
  #advance(session: Session): boolean {
    if (session.next === "purchase") return false;
    const isCart = session.next === "view";
    session.next = isCart ? "add_to_cart" : "purchase";
    return this.#random.fraction() < (isCart ? cartShare : purchaseShare);
  }

  #open(): Session {
    const users = this.#isShopping.length;
    let userIndex = this.#random.below(users);
    // Ends soon: there are many times more users than open sessions.
    while (this.#isShopping[userIndex] === 1) userIndex = (userIndex + 1) % users;
    this.#isShopping[userIndex] = 1;
    const browsesLeft = this.#random.below(browsesMax + 1);
    return { userIndex, product: this.#anyProduct(), browsesLeft, next: "view" };
  }

  /** Popular products (the first of the catalogue) come more often. */
  #anyProduct(): Product {
    const share = this.#random.fraction();
    return this.#catalogue.products[Math.floor(share * share * this.#catalogue.products.length)]!;
  }
}
