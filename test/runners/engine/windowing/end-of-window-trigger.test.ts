/** GroupByKey with after-end-of-window, alone and with early and late firings. */
import { paneTables } from "./pane-table.js";

paneTables(
  "GroupByKey with after-end-of-window",
  `
  fires once and drops what comes late
    windows  fixed(00:10)
    lateness 00:10
    trigger  after-end-of-window()
    at 00:01 element a@00:01
    at 00:02 watermark 00:10
    expect   pane [00:00,00:10) a on-time 0/0 first last
    at 00:03 element b@00:01
    expect   dropped 0 late, 1 closed
    at 00:04 watermark 00:20
    at 00:05 element b@00:01
    expect   dropped 1 late, 1 closed

  fires a late first element at once
    windows  fixed(00:10)
    lateness 00:10
    trigger  after-end-of-window()
    at 00:02 watermark 00:10
    at 00:03 element a@00:01
    expect   pane [00:00,00:10) a late 0/0 first last

  repeated is the default trigger
    windows  fixed(00:10)
    lateness 00:10
    trigger  repeat(after-end-of-window())
    at 00:01 element a@00:01
    at 00:02 watermark 00:10
    expect   pane [00:00,00:10) a on-time 0/0 first
    at 00:03 element b@00:01
    expect   pane [00:00,00:10) b late 1/1

  early: fires again and again before the end, then once on time
    windows  fixed(00:10)
    trigger  after-end-of-window(early(count(2)))
    at 00:01 element a@00:01 b@00:01 c@00:01 d@00:01 e@00:01
    expect   pane [00:00,00:10) a,b early 0/-1 first
    expect   pane [00:00,00:10) c,d early 1/-1
    at 00:02 watermark 00:10
    expect   pane [00:00,00:10) e on-time 2/0 last

  early: emits an empty pane on time when everything was early
    windows  fixed(00:10)
    lateness 00:10
    trigger  after-end-of-window(early(count(1)), late(count(1)))
    at 00:01 element a@00:01
    expect   pane [00:00,00:10) a early 0/-1 first @00:09.999
    expect   hold 00:09.999
    at 00:02 watermark 00:10
    expect   pane [00:00,00:10) nothing on-time 1/0 @00:09.999
    expect   hold none

  early: emits no empty pane on time if that is not wanted
    windows  fixed(00:10)
    lateness 00:10
    on-time  fire-if-non-empty
    trigger  after-end-of-window(early(count(1)), late(count(1)))
    at 00:01 element a@00:01
    expect   pane [00:00,00:10) a early 0/-1 first
    at 00:02 watermark 00:10
    at 00:03 element b@00:01
    expect   pane [00:00,00:10) b late 1/0

  early and late: late ones are repeated until the window expires
    windows  fixed(00:10)
    lateness 00:10
    trigger  after-end-of-window(early(count(2)), late(count(2)))
    at 00:01 element a@00:01
    at 00:02 watermark 00:10
    expect   pane [00:00,00:10) a on-time 0/0 first
    at 00:03 element b@00:01
    expect   hold 00:19.999
    at 00:03 element c@00:01 d@00:01
    expect   pane [00:00,00:10) b,c late 1/1
    at 00:04 element e@00:01 f@00:01
    expect   pane [00:00,00:10) d,e late 2/2
    at 00:05 watermark 00:20
    expect   pane [00:00,00:10) f late 3/3 last

  accumulating: each pane repeats all before it
    windows  fixed(00:10)
    lateness 00:10
    mode     accumulating
    trigger  after-end-of-window(early(count(2)), late(count(1)))
    at 00:01 element a@00:01 b@00:01 c@00:01
    expect   pane [00:00,00:10) a,b early 0/-1 first
    at 00:02 watermark 00:10
    expect   pane [00:00,00:10) a,b,c on-time 1/0
    at 00:03 element d@00:01
    expect   pane [00:00,00:10) a,b,c,d late 2/1
    at 00:04 watermark 00:20
    expect   hold none

  accumulating: the on-time pane comes although nothing is new
    windows  fixed(00:10)
    mode     accumulating
    trigger  after-end-of-window(early(count(1)))
    at 00:01 element a@00:01
    expect   pane [00:00,00:10) a early 0/-1 first
    at 00:02 watermark 00:10
    expect   pane [00:00,00:10) a on-time 1/0 last

  early by the clock, late by count
    windows  fixed(01:00)
    lateness 01:00
    trigger  after-end-of-window(early(delay(00:05)), late(count(1)))
    at 10:00 element a@00:01
    at 10:05 clock
    expect   pane [00:00,01:00) a early 0/-1 first
    at 10:06 element b@00:02
    expect   wake 10:11
    at 10:07 watermark 01:00
    expect   pane [00:00,01:00) b on-time 1/0
    expect   wake never
    at 10:20 element c@00:03
    expect   pane [00:00,01:00) c late 2/1

  late by the clock: what waits is emitted at the expiry
    windows  fixed(00:10)
    lateness 00:10
    trigger  after-end-of-window(late(delay(00:05)))
    at 10:00 element a@00:01
    at 10:01 watermark 00:10
    expect   pane [00:00,00:10) a on-time 0/0 first
    at 10:02 element b@00:01
    expect   wake 10:07
    at 10:04 element c@00:01
    at 10:07 clock
    expect   pane [00:00,00:10) b,c late 1/1
    at 10:08 element d@00:01
    at 10:09 watermark 00:20
    expect   pane [00:00,00:10) d late 2/2 last
    expect   wake never

  early and late of several triggers begin anew each time
    windows  fixed(00:10)
    lateness 01:00
    trigger  after-end-of-window(early(after-first(count(3), delay(00:05))), late(after-all(count(2), delay(00:05))))
    at 10:00 element a@00:01
    at 10:05 clock
    expect   pane [00:00,00:10) a early
    at 10:06 element b@00:01 c@00:01 d@00:01 e@00:01
    expect   pane [00:00,00:10) b,c,d early
    expect   wake 10:11
    at 10:11 clock
    expect   pane [00:00,00:10) e early
    at 10:12 watermark 00:10
    expect   pane [00:00,00:10) nothing on-time 3/0
    at 10:13 element f@00:01 g@00:01
    expect   wake 10:18
    at 10:18 clock
    expect   pane [00:00,00:10) f,g late 4/1
    at 10:19 element h@00:01
    at 10:30 clock
    at 10:31 element i@00:01
    expect   pane [00:00,00:10) h,i late 5/2

  closing: a trigger that finishes early emits its last pane at once, marked as last
    windows  fixed(00:10)
    lateness 00:10
    closing  emit-always
    trigger  after-end-of-window()
    at 00:01 element a@00:01
    at 00:02 watermark 00:10
    expect   pane [00:00,00:10) a on-time 0/0 first last
    expect   hold none
    at 00:03 watermark end

  closing: a trigger that goes on emits an empty last pane at the expiry
    windows  fixed(00:10)
    lateness 00:10
    closing  emit-always
    trigger  after-end-of-window(late(count(1)))
    at 00:01 element a@00:01
    at 00:02 watermark 00:10
    expect   pane [00:00,00:10) a on-time 0/0 first
    expect   hold 00:19.999
    at 00:03 watermark 00:20
    expect   pane [00:00,00:10) nothing late 1/1 last
  `,
);
