/** Single scenarios that a runner behind a job server cannot pass, by the reason in one phrase. */
import type { PortableTargetName } from "./portable-targets.js";

/** Scenarios as `category: name`. */
type ByReason = Readonly<Record<string, readonly string[]>>;

export const excludedScenarios: Record<PortableTargetName, ByReason> = {
  prism: {
    'Prism at times keeps the hold of a timer that was set again: "nothing in progress and no refreshes", with the hold 25 left, in 2 of 9 runs':
      ["timers: setting a timer again moves its hold"],
    "Beam's runner merges windows again that a grouping has merged": [
      "GroupByKey: merges windows once: a second grouping leaves sessions that overlap apart",
    ],
    'Prism crashes ("panic in ElementManager")': ["TestStream: windows hold elements at the end of time"],
    "Prism has no triggered side inputs in the global window (it refuses them)": [
      "side inputs: a later pane takes the place of the earlier ones of its key, also where the key is gone",
      "side inputs: a triggered side input is read as it stands",
      "side inputs: the latest firing is what is read of discarded panes too",
    ],
    "Prism has no triggers with merging windows (it refuses them)": [
      "triggers: a count in sessions goes on counting when they merge",
      "triggers: a late element that joins two emitted sessions gives one late pane of the merged one",
    ],
    "Prism refuses it as unimplemented": [
      "windows: a merging window function of one's own decides what merges",
    ],
    "Prism merges sessions that only touch (`cur.Start-iw.End > 0` in handlerunner.go): 0/10 and 10/20 came as 0/20":
      ["Combine: combines in sessions", "windows: sessions that only touch stay apart"],
    "Prism merges the sessions that fire together, not those that wait (handlerunner.go): 0/10 fired before 9/28 joined it":
      ["triggers: a session grows while the watermark has not passed its end"],
    "Prism begins a stateful step, or the stage behind another, only when its watermark moves (`bundleReady`, `refreshWatermarks` in elementmanager.go): what was due came behind the next event":
      [
        "Reshuffle: lets elements go on before the watermark moves",
        "timers: a timer set for a time that has passed fires at once",
        "timers: clearing a timer lets the watermark go on",
      ],
    "Prism fires an event-time timer when the watermark gets to it, not when it has passed it (`e.timestamp > watermark` in elementmanager.go): it came a millisecond early":
      [
        "timers: an event-time timer fires once the watermark has passed it, not when it gets there",
        "timers: an event-time timer may be set behind the window's end, as far as late elements are allowed",
      ],
    "Prism sets a processing-time timer that is cleared (`triageTimers` in elementmanager.go does not look at the clearing): it fired":
      [
        "timers: a cleared processing-time timer does not fire",
        "timers: clearing a timer that was never set does nothing",
      ],
    'Prism resumes at once, whatever delay is asked for ("TODO actually reschedule" in elementmanager.go): parts came before the clock moved':
      [
        "splittable DoFns: a monotonic estimator's watermark is the time of the last output",
        "splittable DoFns: a watermark set by hand lets windows end before the restriction does",
        "splittable DoFns: it goes on no sooner than the delay it asks for",
        "splittable DoFns: without an estimator the watermark waits for the end of the restriction",
      ],
    "Prism knows no allowed lateness outside of groupings (`ss.strat` in elementmanager.go): state and side inputs were gone at the window's end":
      [
        "on window expiration: it waits as long as late elements are allowed, and sees their state",
        "side inputs: a late element within its allowed lateness reads what elements on time did",
        "state: a window's state lives as long as late elements are allowed",
      ],
    "Prism drops no late elements before a stateful step (`addPending` in elementmanager.go): the late ones were processed":
      [
        "metrics: so are those that come behind the expiration of a stateful step's window",
        "on window expiration: elements behind the expiration are dropped: the state does not come back",
      ],
    "Prism does not count what a grouping drops: there is no droppedDueToLateness": [
      "metrics: elements dropped for their lateness are counted under the step that drops them",
    ],
    "Prism keeps no metrics of a bundle that failed (stage.go takes them of answers alone)": [
      "metrics: the metrics of a bundle that fails are attempted, never committed",
    ],
    "Prism sorts what comes in one bundle, and waits for no watermark (handlepardo.go only begins a stage there)":
      [
        "order: late elements within the allowed lateness come unsorted, others not at all",
        "order: time-sorted input waits for the watermark",
        "order: timers of a time-sorted step fire between the elements they lie between",
      ],
    "Prism fires no pane without elements (`buildEventTimeBundle` goes through what is pending): the empty one did not come":
      [
        "triggers: afterAll waits for both, the count and the clock",
        "triggers: afterFirst fires with whichever comes first, the count or the clock",
        "triggers: each key has panes of its own",
        "triggers: processing time is counted from the first element of a pane",
        "triggers: the last pane is emitted, though empty, where the strategy says so",
        "triggers: the on-time pane is emitted although early panes took everything",
      ],
    "Prism closes no window when its trigger has finished (`buildEventTimeBundle` does not ask the trigger): the rest came in another pane":
      [
        "triggers: a count fires once, and closes its window",
        "triggers: orFinally ends what was repeated, and drops what comes behind",
        "triggers: orFinally lets go at the end of the window",
      ],
    'Prism calls an on-time pane the last only where no lateness is allowed (elementmanager.go: "it can never be last")':
      ["triggers: elements behind the allowed lateness are dropped"],
    "Prism counts a late pane that is the first as the second (`NonSpeculativeIndex++` in elementmanager.go): 0/1":
      ["triggers: a window of late elements alone has late panes alone"],
    "Prism counts what accumulating panes keep as pending, which holds its watermark (`minPendingTimestampLocked`): behind the on-time pane no late one fired but the last, or EARLY and ON_TIME ones once more":
      [
        "TestStream: accumulates late elements within the allowed lateness, and drops those behind it",
        "triggers: accumulating panes repeat what earlier ones held",
        "triggers: the default trigger fires again for each late element, with all there was",
      ],
    "Prism takes the combined time of late elements as it is (handlerunner.go), not the window's end that the watermark has passed":
      ["triggers: early, on-time and late panes have the time of their combiner"],
    "Prism runs the panes that are due beside each other (`startTriggeredBundle` in elementmanager.go): they came in another order":
      ["triggers: panes pass through a second grouping one by one"],
    'Prism crashes when windows of bounded input expire, as by then it counts nothing as pending ("WaitGroup is reused before previous Wait has returned")':
      [
        "async DoFns: onWindowExpiration may be asynchronous",
        "faults: an error in onWindowExpiration fails the run",
        "on window expiration: a key and window that has no state does not expire",
        "on window expiration: a timer set while the window expires never fires",
        "on window expiration: at the end pending processing-time timers fire before it too",
        "on window expiration: in the global window it is called at the end of time",
        "on window expiration: it is called for each of an element's windows",
        "on window expiration: it is called once for each key and window of bounded input",
        "on window expiration: it may emit to tagged outputs",
      ],
    "Prism expires every key and window that had elements, also one without state (`keysToExpireByWindow` in elementmanager.go)":
      [
        "on window expiration: a key and window whose state was cleared expires too, in whichever bundle that was",
      ],
    "Prism expires windows by the output watermark, which a processing-time timer holds (`createOnWindowExpirationBundles`): that timer fired before":
      ["on window expiration: event-time timers of the window fire before it"],
  },
  spark: {
    "Spark's job server has no metrics of a bundle that failed: the counter came as 0": [
      "metrics: the metrics of a bundle that fails are attempted, never committed",
    ],
    'Beam\'s Spark runner has no TestStream ("unknown URN")': [
      "Combine: gives sums of each pane alone when panes are discarded",
      "Combine: gives sums so far when panes accumulate",
      "Combine: merges accumulators of sessions that join",
      "Reshuffle: keeps the panes of a grouping before it",
      "triggers: a count fires once, and closes its window",
      "triggers: a count in sessions goes on counting when they merge",
      "triggers: a late element that joins two emitted sessions gives one late pane of the merged one",
      "triggers: a repeated count counts anew while panes accumulate",
      "triggers: a repeated count fires for each so many, and at the end for the rest",
      "triggers: a session grows while the watermark has not passed its end",
      "triggers: a window of late elements alone has late panes alone",
      "triggers: accumulating panes repeat what earlier ones held",
      "triggers: afterAll waits for both, the count and the clock",
      "triggers: afterEach goes through its triggers one after the other",
      "triggers: afterFirst fires with whichever comes first, the count or the clock",
      "triggers: an empty on-time pane is left out where the strategy says so",
      "triggers: each key has panes of its own",
      "triggers: early, on-time and late panes count themselves",
      "triggers: early, on-time and late panes have the time of their combiner",
      "triggers: elements behind the allowed lateness are dropped",
      "triggers: late elements that no trigger fires come with the last pane",
      "triggers: never fires but at the window's expiration",
      "triggers: orFinally ends what was repeated, and drops what comes behind",
      "triggers: orFinally lets go at the end of the window",
      "triggers: panes pass through a second grouping one by one",
      "triggers: processing time is counted from the first element of a pane",
      "triggers: the default trigger fires again for each late element, discarding what it had",
      "triggers: the default trigger fires again for each late element, with all there was",
      "triggers: the default trigger waits for the end of the window",
      "triggers: the last pane is emitted, though empty, where the strategy says so",
      "triggers: the on-time pane is emitted although early panes took everything",
      "triggers: without time passing, a processing-time trigger leaves all to the end",
    ],
    "Beam's runner merges windows again that a grouping has merged": [
      "GroupByKey: merges windows once: a second grouping leaves sessions that overlap apart",
    ],
    "the runner tries a failed bundle again": [
      "lifecycle: teardown is called after an exception in finishBundle of a stateful DoFn",
      "lifecycle: teardown is called after an exception in process of a stateful DoFn",
      "lifecycle: teardown is called after an exception in setup of a stateful DoFn",
      "lifecycle: teardown is called after an exception in startBundle of a stateful DoFn",
    ],
    'Beam\'s Spark runner resumes no splittable DoFn ("does not have a registered bundle checkpoint handler")':
      ["splittable DoFns: a watermark that goes back is an error, and so is the run"],
    "Beam's Spark runner reshuffles by RDD.repartition, which keeps no order": [
      "order: what one call emits stays in order through a reshuffle",
    ],
    "the runner knows no window function but Beam's own": [
      "windows: a merging window function of one's own decides what merges",
    ],
  },
  flink: {
    "Flink's job server has no metrics of a bundle that failed: the counter came as 0": [
      "metrics: the metrics of a bundle that fails are attempted, never committed",
    ],
    "a group of a batch job has no pane timing (UNKNOWN)": [
      "Combine: gives one output a key",
      "GroupByKey: gives an on-time, only pane at the end of the window",
      "async DoFns: an asynchronous step feeds a GroupByKey before its window ends",
    ],
    "Beam's runner merges windows again that a grouping has merged": [
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
    "Beam's GroupByKey on Flink gives one more, empty pane where the watermark passes the window's end and its lateness at once (WindowDoFnOperator fires the two timers one by one)":
      [
        "triggers: elements behind the allowed lateness are dropped",
        "triggers: the last pane is emitted, though empty, where the strategy says so",
      ],
    "a window's first pane but early ones says ON_TIME though late: Flink's output watermark, by which Beam tells, stands still during a bundle that timers have begun (DoFnOperator.maybeEmitWatermark)":
      [
        "triggers: a late element that joins two emitted sessions gives one late pane of the merged one",
        "triggers: an empty on-time pane is left out where the strategy says so",
      ],
    "Beam's Flink runner has batches sorted by key for a stateful step, by a QuickSort that keeps no order of equals":
      [
        "order: what one call emits stays in order through a reshuffle",
        "order: what one call emits stays in order without one",
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
    "Flink's job server has no metrics of a bundle that failed: the counter came as 0": [
      "metrics: the metrics of a bundle that fails are attempted, never committed",
    ],
    "Flink's job server does not count what a stateful step drops: droppedDueToLateness came as 0": [
      "metrics: so are those that come behind the expiration of a stateful step's window",
    ],
    "Flink's TestStream does not advance processing time": [
      "GroupByKey: emits a window once when its processing-time trigger comes due after it expired",
      "TestStream: gives an early pane for each wait, and one on time",
      "TestStream: holds processing-time timers until its clock moves",
      "TestStream: moves processing time only by its events",
      "splittable DoFns: a monotonic estimator's watermark is the time of the last output",
      "splittable DoFns: a watermark set by hand lets windows end before the restriction does",
      "splittable DoFns: it goes on no sooner than the delay it asks for",
      "splittable DoFns: it passes late elements on, and the GroupByKey behind it drops them",
      "splittable DoFns: without an estimator the watermark waits for the end of the restriction",
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
    "Beam's runner merges windows again that a grouping has merged": [
      "GroupByKey: merges windows once: a second grouping leaves sessions that overlap apart",
    ],
    "Flink's TestStream emits all its events in one loop, and waits for nothing that follows from them (TestStreamSource)":
      [
        "Reshuffle: lets elements go on before the watermark moves",
        "TestStream: plays the next event when all that follows from the last has passed every stage",
        "side inputs: a later pane takes the place of the earlier ones of its key, also where the key is gone",
        "side inputs: a triggered side input is read as it stands",
        "side inputs: the latest firing is what is read of discarded panes too",
        "timers: a timer set for a time that has passed fires at once",
        "timers: clearing a timer lets the watermark go on",
      ],
    "Beam's GroupByKey on Flink gives one more, empty pane where the watermark passes the window's end and its lateness at once (WindowDoFnOperator fires the two timers one by one)":
      [
        "TestStream: a first element that is too late opens no window",
        "triggers: elements behind the allowed lateness are dropped",
        "triggers: the last pane is emitted, though empty, where the strategy says so",
      ],
    "a window's first pane but early ones says ON_TIME though late: Flink's output watermark, by which Beam tells, stands still during a bundle that timers have begun (DoFnOperator.maybeEmitWatermark)":
      [
        "triggers: a late element that joins two emitted sessions gives one late pane of the merged one",
        "triggers: an empty on-time pane is left out where the strategy says so",
      ],
    "refused by name: Beam's Flink runner loses what waits for a side input beside state or a restriction": [
      "side inputs: a stateful step reads a side input too",
      "splittable DoFns: a bounded one keeps its side input over its checkpoints",
      "splittable DoFns: a bounded one reads a side input",
      "splittable DoFns: a bounded one reads the side input of its element's window",
      "splittable DoFns: a unbounded one keeps its side input over its checkpoints",
      "splittable DoFns: a unbounded one reads a side input",
      "splittable DoFns: a unbounded one reads the side input of its element's window",
      "state: a stateful step may read a side input",
    ],
    "Beam's Flink runner finalizes bundles when a checkpoint is complete, and takes none of side inputs": [
      "bundle finalization: a DoFn with a side input may finalize its bundles",
    ],
    "at its end an operator waits in a loop for the hold of a pending processing-time timer, which so never fires (ExecutableStageDoFnOperator.flushData): the job runs for ever":
      [
        "timers: a processing-time timer may have an output timestamp of its own",
        "timers: a timer of a bounded input may wait for the clock and for the end",
        "timers: processing-time timers that are pending at the end fire in order, without waiting for the clock",
        "timers: without one, a processing-time timer has the time of the element that set it",
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
    "the runner knows no window function but Beam's own": [
      "windows: a merging window function of one's own decides what merges",
    ],
  },
};
