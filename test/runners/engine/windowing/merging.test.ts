/** GroupByKey with windows that merge: buffers, holds, triggers and panes of the windows that became one. */
import { paneTables } from "./pane-table.js";

paneTables(
  "GroupByKey with sessions",
  `
  emits a session when its gap has passed
    windows  sessions(00:10)
    at 00:01 element a@00:01 b@00:05 c@00:20
    expect   hold 00:14.999
    at 00:02 watermark 00:15
    expect   pane [00:01,00:15) a,b on-time 0/0 first last @00:14.999
    at 00:03 watermark end
    expect   pane [00:20,00:30) c on-time 0/0 first last

  keeps the sessions of keys apart
    windows  sessions(00:10)
    at 00:01 element x:a@00:01 y:b@00:05 x:c@00:09
    at 00:02 watermark end
    expect   pane y [00:05,00:15) b on-time
    expect   pane x [00:01,00:19) a,c on-time

  joins two sessions with an element between them, values in order of arrival
    windows  sessions(00:10)
    at 00:01 element a@00:01
    at 00:02 element b@00:15
    at 00:03 element c@00:02
    at 00:04 element d@00:16
    expect   hold 00:11.999
    at 00:05 element e@00:08
    expect   hold 00:25.999
    at 00:06 watermark end
    expect   pane [00:01,00:26) a,b,c,d,e on-time 0/0 first last

  leaves sessions apart that only touch
    windows  sessions(00:10)
    at 00:01 element a@00:00 b@00:10
    at 00:02 watermark end
    expect   pane [00:00,00:10) a on-time
    expect   pane [00:10,00:20) b on-time

  does not fire a session that grew before its first end
    windows  sessions(00:10)
    at 00:01 element a@00:01
    at 00:02 watermark 00:10
    at 00:03 element b@00:10
    at 00:04 watermark 00:19.999
    at 00:05 watermark 00:20
    expect   pane [00:01,00:20) a,b on-time

  drops an element whose own session has expired
    windows  sessions(00:10)
    at 00:01 element a@00:09
    at 00:02 watermark 00:13
    at 00:03 element b@00:02
    expect   dropped 1 late, 0 closed
    at 00:04 watermark 00:20
    expect   pane [00:09,00:19) a on-time

  lets a late element reopen a session that has fired, discarding
    windows  sessions(00:10)
    lateness 01:00
    at 00:01 element a@00:01
    at 00:02 watermark 00:12
    expect   pane [00:01,00:11) a on-time 0/0 first
    at 00:03 element b@00:08
    expect   hold 00:17.999
    at 00:04 watermark 00:18
    expect   pane [00:01,00:18) b on-time 0/0 first
    at 00:05 element c@00:02
    expect   pane [00:01,00:18) c late 1/1

  lets a late element reopen a session that has fired, accumulating
    windows  sessions(00:10)
    lateness 01:00
    mode     accumulating
    at 00:01 element a@00:01
    at 00:02 watermark 00:12
    expect   pane [00:01,00:11) a on-time 0/0 first
    at 00:03 element b@00:08
    at 00:04 watermark 00:18
    expect   pane [00:01,00:18) a,b on-time 0/0 first
    at 00:05 element c@00:02
    expect   pane [00:01,00:18) a,b,c late 1/1

  joins late elements with a session that is over, each firing at once
    windows  sessions(00:10)
    lateness 01:00
    at 00:01 watermark 00:40
    at 00:02 element a@00:01 b@00:05
    expect   pane [00:01,00:11) a late 0/0 first
    expect   pane [00:01,00:15) b late 0/0 first

  lets a session expire by its last end
    windows  sessions(00:10)
    lateness 00:10
    mode     accumulating
    at 00:01 element a@00:01
    at 00:02 watermark 00:12
    expect   pane [00:01,00:11) a on-time
    at 00:03 element b@00:10
    at 00:04 watermark 00:25
    expect   pane [00:01,00:20) a,b on-time
    at 00:05 watermark 00:30
    expect   hold none

  earliest: keeps the hold of the session that was earlier
    windows    sessions(00:10)
    timestamps earliest
    at 00:01 element a@00:15
    expect   hold 00:15
    at 00:02 element b@00:01
    expect   hold 00:01
    at 00:03 element c@00:08
    expect   hold 00:01
    at 00:04 watermark end
    expect   pane [00:01,00:25) a,b,c on-time 0/0 first last @00:01

  latest: moves the hold on when sessions join
    windows    sessions(00:10)
    timestamps latest
    at 00:01 element a@00:15
    at 00:02 element b@00:01
    expect   hold 00:01
    at 00:03 element c@00:08
    expect   hold 00:15
    at 00:04 watermark end
    expect   pane [00:01,00:25) a,b,c on-time 0/0 first last @00:15

  count: adds up what the sessions have that join
    windows  sessions(00:10)
    trigger  repeat(count(3))
    at 00:01 element a@00:01 b@00:15
    at 00:02 element c@00:08
    expect   pane [00:01,00:25) a,b,c early 0/-1 first
    at 00:03 element d@00:09 e@00:10
    at 00:04 watermark end
    expect   pane [00:01,00:25) d,e on-time 1/0 last

  count: a session whose trigger has finished takes nothing more
    windows  sessions(00:10)
    trigger  count(1)
    at 00:01 element a@00:01
    expect   pane [00:01,00:11) a early 0/-1 first last
    at 00:02 element b@00:01
    expect   dropped 0 late, 1 closed
    at 00:03 element c@00:05
    expect   pane [00:05,00:15) c early 0/-1 first last

  clock: waits for the earlier of the times of sessions that join
    windows  sessions(00:10)
    trigger  repeat(delay(00:05))
    at 10:00 element a@00:01
    at 10:02 element b@00:15
    expect   wake 10:05
    at 10:03 element c@00:08
    expect   wake 10:05
    at 10:05 clock
    expect   pane [00:01,00:25) a,b,c early
    expect   wake never

  early and late: goes back to early firings when a session that fired on time grows
    windows  sessions(00:10)
    lateness 01:00
    trigger  after-end-of-window(early(count(2)), late(count(1)))
    at 00:01 element a@00:01
    at 00:02 watermark 00:12
    expect   pane [00:01,00:11) a on-time 0/0 first
    at 00:03 element b@00:08 c@00:09
    expect   pane [00:01,00:19) b,c early 0/-1 first
    at 00:04 element d@00:07
    at 00:05 watermark 00:20
    expect   pane [00:01,00:19) d on-time 1/0
    at 00:06 element e@00:03
    expect   pane [00:01,00:19) e late 2/1

  early and late: counts on what a session had early when it joins one that fired on time
    windows  sessions(00:10)
    lateness 01:00
    trigger  after-end-of-window(early(count(3)))
    at 00:01 element a@00:01
    at 00:02 watermark 00:11
    expect   pane [00:01,00:11) a on-time 0/0 first last
    at 00:03 element b@00:13
    at 00:04 element c@00:05
    expect   hold 00:22.999
    at 00:05 element d@00:12
    expect   pane [00:05,00:23) b,c,d early 0/-1 first

  early and late: both together when the one on time is still open
    windows  sessions(00:10)
    lateness 01:00
    trigger  after-end-of-window(early(count(3)), late(count(1)))
    at 00:01 element a@00:01
    at 00:02 watermark 00:11
    expect   pane [00:01,00:11) a on-time 0/0 first
    at 00:03 element b@00:13
    at 00:04 element c@00:05
    at 00:05 element d@00:12
    expect   pane [00:01,00:23) b,c,d early 0/-1 first

  holds on at the end of a joined session whose elements were on time, though it is over
    windows  sessions(00:10)
    lateness 01:00
    trigger  repeat(count(3))
    at 00:01 element a@00:01
    at 00:02 watermark 00:20
    expect   hold 00:10.999
    at 00:03 element b@00:05
    expect   hold 00:14.999
    at 00:04 element c@00:02
    expect   pane [00:01,00:15) a,b,c on-time 0/0 first @00:14.999
    expect   hold none

  early and late: a late element that leaves the session over is late
    windows  sessions(00:10)
    lateness 01:00
    trigger  after-end-of-window(early(count(2)), late(count(2)))
    at 00:01 element a@00:05
    at 00:02 watermark 00:20
    expect   pane [00:05,00:15) a on-time 0/0 first
    at 00:03 element b@00:01
    at 00:04 element c@00:05
    expect   pane [00:01,00:15) b,c late 0/0 first

  after-end-of-window: a session that has not ended yet is not finished
    windows  sessions(00:10)
    lateness 01:00
    trigger  after-each(after-end-of-window(), count(2))
    at 00:01 element a@00:01
    at 00:02 watermark 00:12
    expect   pane [00:01,00:11) a on-time
    at 00:03 element b@00:08
    at 00:04 watermark 00:18
    expect   pane [00:01,00:18) b on-time
    at 00:05 element c@00:05 d@00:05
    expect   pane [00:01,00:18) c,d late 1/1 last

  after-first: joined sessions fire when either was ready to
    windows  sessions(00:10)
    trigger  repeat(after-first(count(3), delay(00:05)))
    at 10:00 element a@00:01
    at 10:01 element b@00:15 c@00:08
    expect   pane [00:01,00:25) a,b,c early
    expect   wake never
    at 10:02 element d@00:10
    expect   wake 10:07

  after-all: joined sessions need all they had together
    windows  sessions(00:10)
    trigger  after-all(count(3), delay(00:05))
    at 10:00 element a@00:01
    at 10:05 element b@00:15
    at 10:06 element c@00:08
    expect   pane [00:01,00:25) a,b,c early 0/-1 first last

  or-finally: counts across the sessions that join
    windows  sessions(00:10)
    trigger  or-finally(repeat(count(2)), count(4))
    at 00:01 element a@00:01 b@00:02
    expect   pane [00:01,00:12) a,b early 0/-1 first
    at 00:02 element c@00:20
    at 00:03 element d@00:11
    expect   pane [00:01,00:30) c,d early 0/-1 first last

  never: emits the joined session at its expiry
    windows  sessions(00:10)
    lateness 00:10
    trigger  never()
    at 00:01 element a@00:01
    at 00:02 watermark 00:15
    expect   hold 00:10.999
    at 00:03 element b@00:10
    at 00:04 watermark 00:29.999
    at 00:05 watermark 00:30
    expect   pane [00:01,00:20) a,b on-time 0/0 first last
    expect   hold none

  gives a joined session an empty last pane if the closing behavior says so
    windows  sessions(00:10)
    lateness 00:10
    closing  emit-always
    at 00:01 element a@00:01 b@00:05
    at 00:02 watermark 00:15
    expect   pane [00:01,00:15) a,b on-time 0/0 first
    expect   hold 00:24.999
    at 00:03 watermark 00:25
    expect   pane [00:01,00:15) nothing late 1/1 last

  joins sessions of negative times
    windows  sessions(00:10)
    at 00:01 element a@-00:15 b@-00:08 c@00:01
    at 00:02 watermark 00:11
    expect   pane [-00:15,00:11) a,b,c on-time
  `,
);

paneTables(
  "GroupByKey with custom merging windows",
  `
  goes on with a window that swallows others, panes numbered on
    windows  grow-to-first(00:10)
    trigger  repeat(count(1))
    at 00:01 element a@00:01
    expect   pane [00:01,00:11) a early 0/-1 first
    at 00:02 element b@00:05
    expect   pane [00:01,00:11) b early 1/-1
    at 00:03 element c@00:12
    expect   pane [00:12,00:22) c early 0/-1 first

  merges windows that do not overlap, if the function says so
    windows  same-minute(00:01)
    at 00:01 element a@00:10 b@00:50 c@01:10
    at 00:02 watermark 00:30
    at 00:03 element d@00:40
    at 00:04 watermark 01:00
    expect   pane [00:10,00:51) a,b,d on-time 0/0 first last
    at 00:05 watermark end
    expect   pane [01:10,01:11) c on-time 0/0 first last

  merges in a bundle as it does one element after the other
    windows  same-minute(00:01)
    trigger  repeat(count(2))
    at 00:01 element a@00:10 b@00:50 c@00:30 d@00:05
    expect   pane [00:10,00:51) a,b early 0/-1 first
    expect   pane [00:05,00:51) c,d early 0/-1 first
  `,
);
