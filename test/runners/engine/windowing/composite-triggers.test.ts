/** GroupByKey with triggers made of others. */
import { paneTables } from "./pane-table.js";

paneTables(
  "GroupByKey with repeat",
  `
  fires each time its trigger does and never finishes
    trigger  repeat(count(2))
    at 00:01 element a@00:01 b@00:01 c@00:01
    expect   pane global a,b early 0/-1 first
    at 00:02 element d@00:01 e@00:01
    expect   pane global c,d early 1/-1
    at 00:03 watermark end
    expect   pane global e on-time 2/0 last
    expect   dropped 0 late, 0 closed

  starts all of its trigger's parts anew
    trigger  repeat(after-first(count(3), delay(00:05)))
    at 10:00 element a@00:01 b@00:01
    at 10:05 clock
    expect   pane global a,b early
    at 10:06 element c@00:01 d@00:01
    expect   wake 10:11
    at 10:07 element e@00:01
    expect   pane global c,d,e early
    expect   wake never
  `,
);

paneTables(
  "GroupByKey with after-each",
  `
  fires each of its triggers in turn and finishes with the last
    trigger  after-each(count(1), count(2), count(3))
    at 00:01 element a@00:01
    expect   pane global a early 0/-1 first
    at 00:02 element b@00:01 c@00:01
    expect   pane global b,c early 1/-1
    at 00:03 element d@00:01 e@00:01 f@00:01 g@00:01
    expect   pane global d,e,f early 2/-1 last
    expect   dropped 0 late, 1 closed

  stays with a trigger that never finishes
    trigger  after-each(count(1), repeat(count(2)), count(1))
    at 00:01 element a@00:01 b@00:01 c@00:01 d@00:01 e@00:01
    expect   pane global a early
    expect   pane global b,c early
    expect   pane global d,e early

  may stand within another
    trigger  after-each(after-each(count(1), count(2)), count(1))
    at 00:01 element a@00:01 b@00:01 c@00:01 d@00:01 e@00:01
    expect   pane global a early
    expect   pane global b,c early
    expect   pane global d early 2/-1 last
    expect   dropped 0 late, 1 closed

  by the clock: the second delay begins with the first element after the first firing
    trigger  after-each(delay(00:05), delay(00:10))
    at 10:00 element a@00:01
    at 10:05 clock
    expect   pane global a early
    at 10:20 clock
    at 10:21 element b@00:01
    expect   wake 10:31
    at 10:31 clock
    expect   pane global b early 1/-1 last

  may end with the end of the window
    windows  fixed(00:10)
    lateness 00:10
    trigger  after-each(count(2), after-end-of-window())
    at 00:01 element a@00:01 b@00:01 c@00:01
    expect   pane [00:00,00:10) a,b early 0/-1 first
    at 00:02 watermark 00:10
    expect   pane [00:00,00:10) c on-time 1/0 last
    at 00:03 element d@00:01
    expect   dropped 0 late, 1 closed
  `,
);

paneTables(
  "GroupByKey with after-first",
  `
  fires once with the first that is ready: the count
    trigger  after-first(count(2), delay(00:05))
    at 10:00 element a@00:01 b@00:01
    expect   pane global a,b early 0/-1 first last
    expect   wake never

  fires once with the first that is ready: the clock
    trigger  after-first(count(2), delay(00:05))
    at 10:00 element a@00:01
    at 10:05 clock
    expect   pane global a early 0/-1 first last
    at 10:06 element b@00:01
    expect   dropped 0 late, 1 closed

  fires once with the first that is ready: the end of the window
    windows  fixed(00:10)
    lateness 00:10
    trigger  after-first(count(2), after-end-of-window())
    at 10:00 element a@00:01
    at 10:01 watermark 00:10
    expect   pane [00:00,00:10) a on-time 0/0 first last
  `,
);

paneTables(
  "GroupByKey with after-all",
  `
  fires once when the last of its triggers is ready: the count
    trigger  after-all(count(2), delay(00:05))
    at 10:00 element a@00:01
    expect   wake 10:05
    at 10:06 clock
    expect   wake never
    at 10:07 element b@00:01
    expect   pane global a,b early 0/-1 first last

  fires once when the last of its triggers is ready: the clock
    trigger  after-all(count(2), delay(00:05))
    at 10:00 element a@00:01 b@00:01 c@00:01
    at 10:05 clock
    expect   pane global a,b,c early 0/-1 first last
    at 10:06 element d@00:01
    expect   dropped 0 late, 1 closed

  fires at the end of the window only when the count is there
    windows  fixed(00:10)
    lateness 00:10
    trigger  repeat(after-all(after-end-of-window(), count(2)))
    at 10:00 element a@00:01
    at 10:01 watermark 00:10
    expect   hold 00:09.999
    at 10:02 element b@00:01
    expect   pane [00:00,00:10) a,b on-time 0/0 first
    at 10:03 element c@00:01 d@00:01
    expect   pane [00:00,00:10) c,d late 1/1
  `,
);

paneTables(
  "GroupByKey with or-finally",
  `
  ends a repetition when the other trigger fires
    trigger  or-finally(repeat(count(2)), count(5))
    at 00:01 element a@00:01 b@00:01 c@00:01 d@00:01 e@00:01 f@00:01
    expect   pane global a,b early 0/-1 first
    expect   pane global c,d early 1/-1
    expect   pane global e early 2/-1 last
    expect   dropped 0 late, 1 closed

  finishes with its first trigger
    trigger  or-finally(count(2), count(5))
    at 00:01 element a@00:01 b@00:01 c@00:01
    expect   pane global a,b early 0/-1 first last
    expect   dropped 0 late, 1 closed

  ends by the clock, counted from the first element of all
    trigger  or-finally(repeat(count(2)), delay(00:05))
    at 10:00 element a@00:01 b@00:01
    expect   pane global a,b early
    expect   wake 10:05
    at 10:04 element c@00:01
    at 10:05 clock
    expect   pane global c early 1/-1 last

  ends with the end of the window
    windows  fixed(00:10)
    lateness 00:10
    trigger  or-finally(repeat(count(2)), after-end-of-window())
    at 00:01 element a@00:01 b@00:01 c@00:01
    expect   pane [00:00,00:10) a,b early
    at 00:02 watermark 00:10
    expect   pane [00:00,00:10) c on-time 1/0 last
    at 00:03 element d@00:01
    expect   dropped 0 late, 1 closed

  repeated, begins again when it has finished
    trigger  repeat(or-finally(repeat(count(2)), count(3)))
    at 00:01 element a@00:01 b@00:01 c@00:01 d@00:01 e@00:01 f@00:01
    expect   pane global a,b early
    expect   pane global c early
    expect   pane global d,e early
    expect   pane global f early
    at 00:02 watermark end
    expect   pane global nothing on-time 4/0 last
  `,
);
