/** GroupByKey with triggers that watch one thing: never, always, count, the clock, the end of the window. */
import { paneTables } from "./pane-table.js";

paneTables(
  "GroupByKey with never",
  `
  emits only when the window expires
    windows  fixed(00:10)
    lateness 00:05
    trigger  never()
    at 00:01 element a@00:01
    at 00:02 watermark 00:14.999
    expect   hold 00:09.999
    at 00:03 element b@00:01
    at 00:04 watermark 00:15
    expect   pane [00:00,00:10) a,b on-time 0/0 first last @00:09.999
    expect   hold none

  emits late elements, when nothing else held the watermark, as a late pane
    windows  fixed(00:10)
    lateness 00:05
    trigger  never()
    at 00:01 watermark 00:12
    at 00:02 element a@00:01
    expect   hold 00:14.999
    at 00:04 watermark 00:15
    expect   pane [00:00,00:10) a late 0/0 first last @00:09.999
  `,
);

paneTables(
  "GroupByKey with always",
  `
  emits each element, and an empty pane on time
    windows  fixed(00:10)
    trigger  always()
    at 00:01 element a@00:01 b@00:02
    expect   pane [00:00,00:10) a early 0/-1 first
    expect   pane [00:00,00:10) b early 1/-1
    at 00:02 watermark 00:10
    expect   pane [00:00,00:10) nothing on-time 2/0 last

  emits no empty pane if the on-time behavior says so
    windows  fixed(00:10)
    trigger  always()
    on-time  fire-if-non-empty
    at 00:01 element a@00:01
    expect   pane [00:00,00:10) a early
    expect   hold none
    at 00:02 watermark 00:10
    expect   hold none
  `,
);

paneTables(
  "GroupByKey with after-count",
  `
  fires once at its count and drops what comes then
    windows  fixed(00:10)
    trigger  count(2)
    at 00:01 element a@00:01 b@00:02 c@00:03
    expect   pane [00:00,00:10) a,b early 0/-1 first last @00:09.999
    expect   dropped 0 late, 1 closed
    expect   hold none
    at 00:02 element d@00:04
    expect   dropped 0 late, 2 closed
    at 00:03 watermark 00:10
    at 00:04 element e@00:01
    expect   dropped 1 late, 2 closed

  fires at its count however the elements come in bundles
    trigger  count(2)
    at 00:01 element a@00:01
    at 00:02 element b@00:01
    expect   pane global a,b early 0/-1 first last

  counts by key and window
    windows  fixed(00:10)
    trigger  repeat(count(2))
    at 00:01 element x:a@00:01 y:b@00:01 x:c@00:11
    at 00:02 element x:d@00:02
    expect   pane x [00:00,00:10) a,d early
    at 00:03 element y:e@00:01
    expect   pane y [00:00,00:10) b,e early
    at 00:04 element x:f@00:12
    expect   pane x [00:10,00:20) c,f early
    at 00:05 watermark end
    expect   pane x [00:00,00:10) nothing on-time 1/0 last
    expect   pane y [00:00,00:10) nothing on-time 1/0 last
    expect   pane x [00:10,00:20) nothing on-time 1/0 last

  emits what its count never came to when the window expires
    windows  fixed(00:10)
    trigger  count(3)
    at 00:01 element a@00:01 b@00:02
    at 00:02 watermark 00:10
    expect   pane [00:00,00:10) a,b on-time 0/0 first last

  holds the watermark for what it has not emitted
    windows    fixed(00:10)
    trigger    repeat(count(2))
    timestamps earliest
    lateness   01:00
    on-time    fire-if-non-empty
    at 00:01 element a@00:03
    expect   hold 00:03
    at 00:02 watermark 00:20
    expect   hold 00:03
    at 00:03 element b@00:01
    expect   pane [00:00,00:10) a,b on-time 0/0 first @00:03
    expect   hold none
    at 00:04 element c@00:01
    expect   hold 01:09.999
    at 00:05 element d@00:01
    expect   pane [00:00,00:10) c,d late 1/1 @00:09.999
    expect   hold none
  `,
);

paneTables(
  "GroupByKey with after-processing-time",
  `
  fires once, a time after the first element of the pane
    windows  fixed(00:10)
    trigger  delay(00:05)
    at 10:01 element a@00:01
    expect   wake 10:06
    at 10:04 element b@00:02
    expect   wake 10:06
    at 10:05.999 clock
    at 10:06 clock
    expect   pane [00:00,00:10) a,b early 0/-1 first last
    expect   wake never
    at 10:07 element c@00:03
    expect   dropped 0 late, 1 closed

  begins again with the first element of the next pane
    trigger  repeat(delay(00:05))
    at 10:01 element a@00:01
    at 10:20 clock
    expect   pane global a early 0/-1 first
    expect   wake never
    at 11:00 element b@00:01
    expect   wake 11:05
    at 11:05 clock
    expect   pane global b early 1/-1

  runs for each key by itself
    trigger  repeat(delay(00:05))
    at 10:01 element x:a@00:01
    at 10:03 element y:b@00:01
    expect   wake 10:06
    at 10:06 clock
    expect   pane x global a early
    expect   wake 10:08
    at 10:20 clock
    expect   pane y global b early

  fires in the order of the clock when that jumps
    trigger  repeat(delay(00:05))
    at 10:02 element x:a@00:01
    at 10:03 element y:b@00:01
    at 10:04 element x:c@00:01
    at 20:00 clock
    expect   pane x global a,c early
    expect   pane y global b early

  fires before the elements that come at or after its time
    trigger  repeat(delay(00:05))
    at 10:01 element a@00:01
    at 10:06 element b@00:01
    expect   pane global a early
    expect   wake 10:11

  is ready at once without a delay
    trigger  repeat(delay(00:00))
    at 10:01 element a@00:01 b@00:01
    expect   pane global a early
    expect   pane global b early
    expect   wake never

  aligns its time upward to the period
    trigger  repeat(align(00:00, 01:00))
    at 10:01 element a@00:01
    expect   wake 11:00
    at 11:00 clock
    expect   pane global a early
    at 12:00 element b@00:01
    expect   pane global b early

  aligns after the delay, from the offset on
    trigger  repeat(align(00:30, 01:00, 00:15))
    at 10:01 element a@00:01
    expect   wake 11:15
    at 11:15 clock
    expect   pane global a early

  aligns times before the offset too
    trigger  align(00:00, 01:00, 20:15)
    at 10:01 element a@00:01
    expect   wake 10:15
    at 10:15 clock
    expect   pane global a early 0/-1 first last

  emits at the window's expiry without waiting for the clock
    windows  fixed(00:10)
    trigger  delay(00:05)
    at 10:01 element a@00:01
    at 10:02 watermark 00:10
    expect   pane [00:00,00:10) a on-time 0/0 first last
    expect   wake never
    at 20:00 clock

  lets the end of the window go first when both are due
    windows  fixed(00:10)
    trigger  repeat(delay(00:05))
    at 10:01 element a@00:01
    at 20:00 watermark 00:10
    expect   pane [00:00,00:10) a on-time 0/0 first last

  emits late elements after their time
    windows  fixed(00:10)
    lateness 00:10
    trigger  repeat(delay(00:05))
    at 10:01 watermark 00:12
    at 10:02 element a@00:01
    expect   hold 00:19.999
    at 10:07 clock
    expect   pane [00:00,00:10) a late 0/0 first
    expect   hold none
  `,
);

paneTables(
  "GroupByKey with after-synchronized-processing-time",
  `
  takes upstream's clock to be its own
    trigger  repeat(after-synchronized-processing-time())
    at 10:01 element a@00:01 b@00:01
    expect   pane global a early 0/-1 first
    expect   pane global b early 1/-1
  `,
);
