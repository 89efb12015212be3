/** The constants that the engine, which imports nothing, has of its own: equal to those of the transforms. */
import { expect } from "chai";
import { MAX_WATERMARK_MS, MIN_WATERMARK_MS, NO_FIRING } from "../../../runners/engine/element.js";
import { GLOBAL_WINDOW_END_MS as ENGINE_GLOBAL_WINDOW_END_MS } from "../../../runners/engine/window-expiry.js";
import {
  GLOBAL_WINDOW_END_MS,
  MAX_TIMESTAMP_MS,
  MIN_TIMESTAMP_MS,
} from "../../../transforms/primitives/timestamp-bounds.js";
import { NO_FIRING as NO_FIRING_OF_TRANSFORMS } from "../../../transforms/primitives/window.js";

describe("the engine's time", () => {
  it("begins and ends where Beam's timestamps do", () => {
    expect([MIN_WATERMARK_MS, MAX_WATERMARK_MS]).to.deep.equal([MIN_TIMESTAMP_MS, MAX_TIMESTAMP_MS]);
  });

  it("ends the global window where the transforms end it", () => {
    expect(ENGINE_GLOBAL_WINDOW_END_MS).to.equal(GLOBAL_WINDOW_END_MS);
  });

  it("gives an element without a trigger the pane that the transforms give it", () => {
    expect(NO_FIRING).to.deep.equal(NO_FIRING_OF_TRANSFORMS);
  });
});
