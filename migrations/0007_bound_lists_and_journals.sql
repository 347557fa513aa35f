-- What is due, and what is ready, among all that is parked. Each run is in it once, as in the index before it, which had the
-- time alone: to find the few that are ready it had to be read as a whole.
create index runs_parked on pawl.runs (status, wake_at) where status in ('ready', 'waiting');
drop index pawl.runs_due;

-- What the values and failures in a run's journal take as JSON: a run whose journal could not be replayed any more fails
-- before that. Runs from before it count from here.
alter table pawl.runs add column journal_bytes integer not null default 0;
