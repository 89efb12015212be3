/** GroupByKey with the default trigger: windows, lateness, accumulation, order, holds. */
import { paneTables } from "./pane-table.js";

paneTables(
  "GroupByKey with the default trigger",
  `
  fires when the watermark is beyond the last millisecond of the window, not at it
    windows fixed(00:10)
    at 00:01 element a@00:01 b@00:09.999
    expect   hold 00:09.999
    at 00:02 watermark 00:09.999
    expect   hold 00:09.999
    at 00:03 watermark 00:10
    expect   pane [00:00,00:10) a,b on-time 0/0 first last @00:09.999
    expect   hold none

  holds the watermark at the first window that has not fired
    windows fixed(00:10)
    at 00:01 element a@00:11
    expect   hold 00:19.999
    at 00:01 element b@00:01
    expect   hold 00:09.999
    at 00:02 watermark 00:10
    expect   pane [00:00,00:10) b on-time
    expect   hold 00:19.999

  fires windows in order of their ends when the watermark jumps
    windows fixed(00:10)
    at 00:01 element c@00:21 a@00:01 b@00:11
    at 00:02 watermark 00:30
    expect   pane [00:00,00:10) a on-time 0/0 first last
    expect   pane [00:10,00:20) b on-time 0/0 first last
    expect   pane [00:20,00:30) c on-time 0/0 first last

  fires the keys of a window in the order in which they first came
    windows fixed(00:10)
    at 00:01 element z:a@00:01 y:b@00:02 z:c@00:03 x:d@00:01
    at 00:02 element y:e@00:00
    at 00:03 watermark 00:10
    expect   pane z [00:00,00:10) a,c on-time
    expect   pane y [00:00,00:10) b,e on-time
    expect   pane x [00:00,00:10) d on-time

  puts an element into each of its windows
    windows sliding(00:10, 00:05)
    at 00:01 element a@00:03 b@00:07
    at 00:02 watermark 00:05
    expect   pane [-00:05,00:05) a on-time
    at 00:03 watermark 00:15
    expect   pane [00:00,00:10) a,b on-time
    expect   pane [00:05,00:15) b on-time

  groups negative timestamps in the windows that hold them
    windows fixed(00:10)
    at 00:01 element a@-00:00.001 b@00:00 c@-00:10 d@-00:10.001
    at 00:02 watermark -00:10
    expect   pane [-00:20,-00:10) d on-time
    at 00:03 watermark 00:00
    expect   pane [-00:10,00:00) a,c on-time 0/0 first last @-00:00.001
    expect   hold 00:09.999
    at 00:04 watermark 00:10
    expect   pane [00:00,00:10) b on-time

  fires the global window at the end of time
    at 00:01 element a@00:01 b@-10:00
    expect   hold global
    at 00:02 watermark 59:59
    at 00:03 watermark end
    expect   pane global a,b on-time 0/0 first last @global
    expect   hold none

  does not make the global window expire later for its lateness
    lateness 10:00
    at 00:01 element a@00:01
    at 00:02 watermark end
    expect   pane global a on-time 0/0 first last

  drops an element without lateness as soon as its window has ended
    windows fixed(00:10)
    at 00:01 element a@00:01
    at 00:02 watermark 00:10
    expect   pane [00:00,00:10) a on-time
    at 00:03 element b@00:09 c@00:11
    expect   dropped 1 late, 0 closed
    expect   hold 00:19.999
    at 00:04 watermark 00:20
    expect   pane [00:10,00:20) c on-time

  drops an element only from those of its windows that have expired
    windows sliding(00:10, 00:05)
    at 00:01 watermark 00:10
    at 00:02 element a@00:07
    expect   dropped 1 late, 0 closed
    at 00:03 watermark 00:15
    expect   pane [00:05,00:15) a on-time

  counts an element once for each window that it was too late for
    windows sliding(00:10, 00:05)
    at 00:01 watermark 00:20
    at 00:02 element a@00:07 b@00:01
    expect   dropped 4 late, 0 closed

  takes an element behind the watermark whose window has not ended as any other
    windows fixed(00:10)
    at 00:01 watermark 00:05
    at 00:02 element a@00:01
    at 00:03 watermark 00:10
    expect   pane [00:00,00:10) a on-time

  fires for each late element while lateness allows it
    windows fixed(00:10)
    lateness 00:05
    at 00:01 element a@00:01
    at 00:02 watermark 00:12
    expect   pane [00:00,00:10) a on-time 0/0 first @00:09.999
    expect   hold none
    at 00:03 element b@00:02 c@00:03
    expect   pane [00:00,00:10) b late 1/1 @00:09.999
    expect   pane [00:00,00:10) c late 2/2 @00:09.999
    at 00:04 watermark 00:14.999
    at 00:05 element d@00:04
    expect   pane [00:00,00:10) d late 3/3
    at 00:06 watermark 00:15
    at 00:07 element e@00:05
    expect   dropped 1 late, 0 closed

  repeats what it emitted before when accumulating
    windows fixed(00:10)
    lateness 00:05
    mode     accumulating
    at 00:01 element a@00:01 b@00:01
    at 00:02 watermark 00:12
    expect   pane [00:00,00:10) a,b on-time 0/0 first
    at 00:03 element c@00:02
    expect   pane [00:00,00:10) a,b,c late 1/1
    at 00:04 element d@00:02
    expect   pane [00:00,00:10) a,b,c,d late 2/2
    at 00:05 watermark end

  calls the first pane of a window late when the output watermark had passed its end
    windows fixed(00:10)
    lateness 00:05
    at 00:01 watermark 00:12
    at 00:02 element a@00:01
    expect   pane [00:00,00:10) a late 0/0 first @00:09.999
    at 00:03 element b@00:01
    expect   pane [00:00,00:10) b late 1/1

  keeps the panes of keys apart
    windows fixed(00:10)
    lateness 00:05
    at 00:01 element x:a@00:01
    at 00:02 watermark 00:12
    expect   pane x [00:00,00:10) a on-time 0/0 first
    at 00:03 element y:b@00:01 x:c@00:01
    expect   pane y [00:00,00:10) b late 0/0 first
    expect   pane x [00:00,00:10) c late 1/1

  emits an empty last pane at the expiry if the closing behavior says so
    windows fixed(00:10)
    lateness 00:05
    closing  emit-always
    at 00:01 element a@00:01
    at 00:02 watermark 00:12
    expect   pane [00:00,00:10) a on-time 0/0 first
    expect   hold 00:14.999
    at 00:03 watermark 00:15
    expect   pane [00:00,00:10) nothing late 1/1 last @00:09.999
    expect   hold none

  emits everything again in the last pane of an accumulating window
    windows fixed(00:10)
    lateness 00:05
    mode     accumulating
    closing  emit-always
    at 00:01 element a@00:01
    at 00:02 watermark 00:10
    expect   pane [00:00,00:10) a on-time 0/0 first
    at 00:03 watermark end
    expect   pane [00:00,00:10) a late 1/1 last

  fires ends and expiries of different windows in order of time
    windows fixed(00:10)
    lateness 00:05
    closing  emit-always
    at 00:01 element a@00:01 b@00:11 c@00:21
    at 00:02 watermark 00:12
    expect   pane [00:00,00:10) a on-time 0/0 first
    at 00:03 watermark 00:22
    expect   pane [00:00,00:10) nothing late 1/1 last
    expect   pane [00:10,00:20) b on-time 0/0 first
    at 00:04 watermark 00:32
    expect   pane [00:10,00:20) nothing late 1/1 last
    expect   pane [00:20,00:30) c on-time 0/0 first
    at 00:05 watermark end
    expect   pane [00:20,00:30) nothing late 1/1 last

  says of the on-time pane that it is the last when the watermark passes end and lateness at once
    windows fixed(00:10)
    lateness 00:05
    at 00:01 element a@00:01 b@00:11
    at 00:02 watermark 00:20
    expect   pane [00:00,00:10) a on-time 0/0 first last
    expect   pane [00:10,00:20) b on-time 0/0 first
    at 00:03 watermark end

  gives one pane, not an empty one behind it, when the watermark passes end and lateness at once
    windows fixed(00:10)
    lateness 00:05
    mode     accumulating
    closing  emit-always
    at 00:01 element a@00:01
    at 00:02 watermark end
    expect   pane [00:00,00:10) a on-time 0/0 first last @00:09.999
    expect   hold none

  has no use for the processing clock
    windows fixed(00:10)
    at 00:01 element a@00:01
    expect   wake never
    at 59:59 clock
    at 59:59 watermark 00:10
    expect   pane [00:00,00:10) a on-time
  `,
);

paneTables(
  "GroupByKey with timestamps from its elements",
  `
  earliest: holds and emits at the first event time of each key
    windows    fixed(00:10)
    timestamps earliest
    at 00:01 element x:a@00:05 y:b@00:07
    expect   hold 00:05
    at 00:02 element x:c@00:03
    expect   hold 00:03
    at 00:03 watermark 00:10
    expect   pane x [00:00,00:10) a,c on-time 0/0 first last @00:03
    expect   pane y [00:00,00:10) b on-time 0/0 first last @00:07
    expect   hold none

  earliest: an element behind the output watermark neither holds nor sets the time
    windows    fixed(00:10)
    timestamps earliest
    at 00:01 watermark 00:05
    at 00:02 element a@00:02
    expect   hold 00:09.999
    at 00:03 element b@00:07
    expect   hold 00:07
    at 00:04 watermark 00:10
    expect   pane [00:00,00:10) a,b on-time 0/0 first last @00:07

  earliest: a pane of nothing but such elements comes at the end of the window
    windows    fixed(00:10)
    timestamps earliest
    at 00:01 watermark 00:05
    at 00:02 element a@00:02
    at 00:03 watermark 00:10
    expect   pane [00:00,00:10) a on-time 0/0 first last @00:09.999

  earliest: an element behind the input watermark counts while another holds the output watermark
    windows    fixed(00:10)
    timestamps earliest
    at 00:01 element x:a@00:01
    at 00:02 watermark 00:05
    at 00:03 element y:b@00:02
    at 00:04 watermark 00:10
    expect   pane x [00:00,00:10) a on-time 0/0 first last @00:01
    expect   pane y [00:00,00:10) b on-time 0/0 first last @00:02

  earliest: elements behind the input watermark count as long as their bundle found the output watermark held
    windows    fixed(00:10)
    timestamps earliest
    trigger    repeat(count(2))
    at 00:01 element a@00:01
    at 00:02 watermark 00:05
    at 00:03 element b@00:02 c@00:03 d@00:04
    expect   pane [00:00,00:10) a,b early 0/-1 first @00:01
    expect   pane [00:00,00:10) c,d early 1/-1 @00:03
    at 00:04 watermark 00:10
    expect   pane [00:00,00:10) nothing on-time 2/0 last

  earliest: the same elements in two bundles make the same panes, the second at a later time
    windows    fixed(00:10)
    timestamps earliest
    trigger    repeat(count(2))
    at 00:01 element a@00:01
    at 00:02 watermark 00:05
    at 00:03 element b@00:02
    expect   pane [00:00,00:10) a,b early 0/-1 first @00:01
    at 00:03 element c@00:03 d@00:04
    expect   pane [00:00,00:10) c,d early 1/-1 @00:09.999
    at 00:04 watermark 00:10
    expect   pane [00:00,00:10) nothing on-time 2/0 last

  latest: holds and emits at the last event time of each key
    windows    fixed(00:10)
    timestamps latest
    at 00:01 element x:a@00:05 y:b@00:07
    expect   hold 00:05
    at 00:02 element x:c@00:08
    expect   hold 00:07
    at 00:03 element x:d@00:04
    at 00:04 watermark 00:10
    expect   pane x [00:00,00:10) a,c,d on-time 0/0 first last @00:08
    expect   pane y [00:00,00:10) b on-time 0/0 first last @00:07

  latest: a late pane comes at the end of the window
    windows    fixed(00:10)
    timestamps latest
    lateness   00:05
    at 00:01 element a@00:05
    at 00:02 watermark 00:10
    expect   pane [00:00,00:10) a on-time 0/0 first @00:05
    at 00:03 element b@00:06
    expect   pane [00:00,00:10) b late 1/1 @00:09.999

  earliest in sliding windows: each window takes its own time
    windows    sliding(00:10, 00:05)
    timestamps earliest
    at 00:01 element a@00:03 b@00:07
    at 00:02 watermark end
    expect   pane [-00:05,00:05) a on-time 0/0 first last @00:03
    expect   pane [00:00,00:10) a,b on-time 0/0 first last @00:03
    expect   pane [00:05,00:15) b on-time 0/0 first last @00:07
  `,
);
