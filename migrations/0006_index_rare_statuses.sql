-- Lists of runs that are parked, held or ended badly, which may be few and long ago among a million others. Neither ready
-- nor running are in it: every turn of every run would write to it.
create index runs_by_status on pawl.runs (tenant, status, id)
  where status in ('waiting', 'paused', 'cancelled', 'failed', 'dead');

-- Who is behind on a channel: the sweep asks it of every channel, and nearly nobody is.
create index subscriptions_behind on pawl.subscriptions (tenant, channel, cursor);
