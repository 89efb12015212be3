/** Single scenarios that a runner behind a job server cannot pass, by the reason in one phrase. */
import type { PortableTargetName } from "./portable-targets.js";

/** Scenarios as `category: name`. */
type ByReason = Readonly<Record<string, readonly string[]>>;

export const excludedScenarios: Record<PortableTargetName, ByReason> = {
  prism: {
    "Prism merges sessions that only touch, and merges again what a grouping has merged": [
      "Combine: combines in sessions",
      "GroupByKey: merges windows once: a second grouping leaves sessions that overlap apart",
      "windows: sessions that only touch stay apart",
    ],
    "Prism plays the next event of a TestStream before all that follows from the last is done": [
      "Reshuffle: lets elements go on before the watermark moves",
      "TestStream: holds processing-time timers until its clock moves",
      "faults: a failed job says so, and what was before it failed stays as it was",
      "side inputs: a late element within its allowed lateness reads what elements on time did",
      "splittable DoFns: a monotonic estimator's watermark is the time of the last output",
      "splittable DoFns: a watermark set by hand lets windows end before the restriction does",
      "splittable DoFns: it goes on no sooner than the delay it asks for",
      "splittable DoFns: without an estimator the watermark waits for the end of the restriction",
      "timers: a processing-time timer fires by the clock, and the watermark does not matter",
      "timers: a timer set for a time that has passed fires at once",
      "timers: clearing a timer lets the watermark go on",
      "timers: of a processing-time timer that is set again only the last setting fires",
      "timers: processing-time timers of a family fire by tag",
    ],
    "Prism's triggers differ: it emits no empty panes, goes on after a trigger has finished, and does not repeat late firings":
      [
        "TestStream: accumulates late elements within the allowed lateness, and drops those behind it",
        "triggers: a count fires once, and closes its window",
        "triggers: a session grows while the watermark has not passed its end",
        "triggers: a window of late elements alone has late panes alone",
        "triggers: accumulating panes repeat what earlier ones held",
        "triggers: afterAll waits for both, the count and the clock",
        "triggers: afterFirst fires with whichever comes first, the count or the clock",
        "triggers: each key has panes of its own",
        "triggers: early, on-time and late panes have the time of their combiner",
        "triggers: elements behind the allowed lateness are dropped",
        "triggers: orFinally ends what was repeated, and drops what comes behind",
        "triggers: orFinally lets go at the end of the window",
        "triggers: panes pass through a second grouping one by one",
        "triggers: processing time is counted from the first element of a pane",
        "triggers: the default trigger fires again for each late element, with all there was",
        "triggers: the last pane is emitted, though empty, where the strategy says so",
        "triggers: the on-time pane is emitted although early panes took everything",
      ],
    "a number does not hold odd milliseconds at the beginning of time, which the runner sends here": [
      "TestStream: plays the next event when all that follows from the last has passed every stage",
    ],
    'Prism crashes ("panic in ElementManager")': ["TestStream: windows hold elements at the end of time"],
    "the last bundle's finalization may come after the job's end on Prism": [
      "bundle finalization: a callback may be asynchronous, and the job ends behind it",
      "bundle finalization: a callback of finishBundle runs too",
      "bundle finalization: callbacks run once, in order, after the bundle has finished",
    ],
    "Prism's instances of a stage live side by side": ["lifecycle: a splittable DoFn lives in this order"],
    "Prism does not drop late elements before stateful DoFns, nor sorts their input": [
      "order: late elements within the allowed lateness come unsorted, others not at all",
      "order: time-sorted input waits for the watermark",
      "order: timers of a time-sorted step fire between the elements they lie between",
      "state: a window's state lives as long as late elements are allowed",
    ],
    "Prism has no triggered side inputs in the global window (it refuses them)": [
      "side inputs: a later pane takes the place of the earlier ones of its key, also where the key is gone",
      "side inputs: a triggered side input is read as it stands",
      "side inputs: the latest firing is what is read of discarded panes too",
    ],
    "Prism fires processing-time timers although they were cleared": [
      "timers: a cleared processing-time timer does not fire",
      "timers: clearing a timer that was never set does nothing",
    ],
    "Prism waits for the real clock before the end": [
      "timers: a processing-time timer without an output timestamp does not hold the watermark",
      "timers: processing-time timers that are pending at the end fire in order, without waiting for the clock",
    ],
    "Prism fires an event-time timer when the watermark gets to its time, not behind it": [
      "timers: an event-time timer fires once the watermark has passed it, not when it gets there",
      "timers: an event-time timer may be set behind the window's end, as far as late elements are allowed",
    ],
    "Prism has no triggers with merging windows (it refuses them)": [
      "triggers: a count in sessions goes on counting when they merge",
      "triggers: a late element that joins two emitted sessions gives one late pane of the merged one",
    ],
    "Prism refuses it as unimplemented": [
      "windows: a merging window function of one's own decides what merges",
    ],
  },
  spark: {
    "Beam's Java runners merge windows again that a grouping has merged": [
      "GroupByKey: merges windows once: a second grouping leaves sessions that overlap apart",
    ],
    "the runner's workers make several instances of a splittable step": [
      "lifecycle: a splittable DoFn lives in this order",
    ],
    "the runner tries a failed bundle again": [
      "lifecycle: teardown is called after an exception in finishBundle of a stateful DoFn",
      "lifecycle: teardown is called after an exception in process of a stateful DoFn",
      "lifecycle: teardown is called after an exception in setup of a stateful DoFn",
      "lifecycle: teardown is called after an exception in startBundle of a stateful DoFn",
    ],
    "the runner keeps no order over a shuffle by key": [
      "order: what one call emits stays in order through a reshuffle",
    ],
    "the runner knows no window function but Beam's own": [
      "windows: a merging window function of one's own decides what merges",
    ],
  },
  flink: {
    "a batch group has no pane timing": [
      "Combine: gives one output a key",
      "GroupByKey: gives an on-time, only pane at the end of the window",
      "async DoFns: an asynchronous step feeds a GroupByKey before its window ends",
    ],
    "Beam's Java runners merge windows again that a grouping has merged": [
      "GroupByKey: merges windows once: a second grouping leaves sessions that overlap apart",
    ],
    'Beam\'s runner finalizes no bundles here ("does not have a registered bundle finalization handler")': [
      "bundle finalization: a DoFn with a side input may finalize its bundles",
      "bundle finalization: a callback may be asynchronous, and the job ends behind it",
      "bundle finalization: a callback of finishBundle runs too",
      "bundle finalization: a stateful DoFn may finalize its bundles",
      "bundle finalization: a timer's callback may finalize its bundle",
      "bundle finalization: callbacks run once, in order, after the bundle has finished",
      "bundle finalization: each checkpoint of a splittable DoFn is finalized",
    ],
    "the runner tries a failed bundle again": [
      "faults: elements behind the one that fails are not processed",
      "lifecycle: teardown is called after an exception in finishBundle",
      "lifecycle: teardown is called after an exception in finishBundle of a stateful DoFn",
      "lifecycle: teardown is called after an exception in process",
      "lifecycle: teardown is called after an exception in process of a stateful DoFn",
      "lifecycle: teardown is called after an exception in setup",
      "lifecycle: teardown is called after an exception in setup of a stateful DoFn",
      "lifecycle: teardown is called after an exception in startBundle",
      "lifecycle: teardown is called after an exception in startBundle of a stateful DoFn",
    ],
    "the runner's workers make several instances of a splittable step": [
      "lifecycle: a splittable DoFn lives in this order",
    ],
    "the runner keeps no order over a shuffle by key": [
      "order: what one call emits stays in order through a reshuffle",
      "order: what one call emits stays in order without one",
    ],
    "an event-time timer of another family is not ordered with it on Flink": [
      "timers: timers of a key fire in the order of their times, whatever their families",
      "timers: what a timer emits has its output timestamp",
    ],
    "Flink's TestStream moves the watermark before the worker has done what came before it": [
      "triggers: a late element that joins two emitted sessions gives one late pane of the merged one",
      "triggers: accumulating panes repeat what earlier ones held",
      "triggers: an empty on-time pane is left out where the strategy says so",
      "triggers: early, on-time and late panes count themselves",
      "triggers: early, on-time and late panes have the time of their combiner",
      "triggers: elements behind the allowed lateness are dropped",
      "triggers: late elements that no trigger fires come with the last pane",
      "triggers: orFinally lets go at the end of the window",
      "triggers: the default trigger fires again for each late element, discarding what it had",
      "triggers: the default trigger fires again for each late element, with all there was",
      "triggers: the last pane is emitted, though empty, where the strategy says so",
    ],
    "Flink's TestStream does not advance processing time": [
      "triggers: afterAll waits for both, the count and the clock",
      "triggers: afterFirst fires with whichever comes first, the count or the clock",
      "triggers: never fires but at the window's expiration",
      "triggers: processing time is counted from the first element of a pane",
    ],
    "the runner knows no window function but Beam's own": [
      "windows: a merging window function of one's own decides what merges",
    ],
  },
  "flink-streaming": {
    "Flink's TestStream does not advance processing time": [
      "GroupByKey: emits a window once when its processing-time trigger comes due after it expired",
      "TestStream: gives an early pane for each wait, and one on time",
      "TestStream: holds processing-time timers until its clock moves",
      "TestStream: moves processing time only by its events",
      "splittable DoFns: it goes on no sooner than the delay it asks for",
      "splittable DoFns: it passes late elements on, and the GroupByKey behind it drops them",
      "timers: a cleared processing-time timer does not fire",
      "timers: a processing-time timer fires by the clock, and the watermark does not matter",
      "timers: a processing-time timer without an output timestamp does not hold the watermark",
      "timers: an event-time timer without an output timestamp does not hold the watermark",
      "timers: of a processing-time timer that is set again only the last setting fires",
      "timers: processing-time timers of a family fire by tag",
      "timers: the output timestamp of a processing-time timer holds the watermark",
      "triggers: afterAll waits for both, the count and the clock",
      "triggers: afterFirst fires with whichever comes first, the count or the clock",
      "triggers: never fires but at the window's expiration",
      "triggers: processing time is counted from the first element of a pane",
    ],
    "Beam's Java runners merge windows again that a grouping has merged": [
      "GroupByKey: merges windows once: a second grouping leaves sessions that overlap apart",
    ],
    "the runner tries a failed bundle again": [
      "faults: a failed job says so, and what was before it failed stays as it was",
      "faults: elements behind the one that fails are not processed",
      "lifecycle: teardown is called after an exception in finishBundle",
      "lifecycle: teardown is called after an exception in finishBundle of a stateful DoFn",
      "lifecycle: teardown is called after an exception in process",
      "lifecycle: teardown is called after an exception in process of a stateful DoFn",
      "lifecycle: teardown is called after an exception in setup",
      "lifecycle: teardown is called after an exception in setup of a stateful DoFn",
      "lifecycle: teardown is called after an exception in startBundle",
      "lifecycle: teardown is called after an exception in startBundle of a stateful DoFn",
    ],
    "the runner's workers make several instances of a splittable step": [
      "lifecycle: a splittable DoFn lives in this order",
    ],
    "an event-time timer of another family is not ordered with it on Flink": [
      "timers: timers of a key fire in the order of their times, whatever their families",
      "timers: what a timer emits has its output timestamp",
    ],
    "Flink's TestStream moves the watermark before the worker has done what came before it": [
      "triggers: a late element that joins two emitted sessions gives one late pane of the merged one",
      "triggers: accumulating panes repeat what earlier ones held",
      "triggers: an empty on-time pane is left out where the strategy says so",
      "triggers: early, on-time and late panes count themselves",
      "triggers: early, on-time and late panes have the time of their combiner",
      "triggers: elements behind the allowed lateness are dropped",
      "triggers: late elements that no trigger fires come with the last pane",
      "triggers: orFinally lets go at the end of the window",
      "triggers: the default trigger fires again for each late element, discarding what it had",
      "triggers: the default trigger fires again for each late element, with all there was",
      "triggers: the last pane is emitted, though empty, where the strategy says so",
    ],
    "the runner knows no window function but Beam's own": [
      "windows: a merging window function of one's own decides what merges",
    ],
  },
};
