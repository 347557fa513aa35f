-- What each sweep of the cron last came to, in whichever isolate.
create table pawl.sweeps (
  name text primary key,
  swept_at timestamptz not null,
  ms double precision not null,
  outcome text not null
);
