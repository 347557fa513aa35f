-- The one clock: every due, lease and deadline comparison reads it. A function of its own so that tests can
-- put another in its place and stand at any instant.
create function pawl.clock() returns timestamptz language sql volatile as $$ select clock_timestamp() $$;

-- Instants leave the database as whole milliseconds since 1970: what a JavaScript number holds exactly.
create function pawl.ms(at timestamptz) returns float8 language sql stable strict as
  $$ select floor(extract(epoch from at) * 1000)::float8 $$;

-- Aborts a statement from inside it, so that a set is written whole or not at all.
create function pawl.refuse(code text, detail text) returns boolean language plpgsql volatile as $$
begin
  raise exception using errcode = code, message = 'refused', detail = detail;
end $$;

-- What a person looks at first comes first: operators select * from this table.
create table pawl.runs (
  tenant text not null,
  -- A ULID: "C" makes its order that of the bytes, which is that of time.
  id text collate "C" not null,
  workflow text not null,
  version integer not null,
  status text not null,
  current_step text,
  steps_done integer not null default 0,
  -- The fence: raised by every claim, reclaim, cancel and revive.
  turn integer not null default 0,
  -- Turns in a row whose lease ran out with nothing committed.
  lost_turns integer not null default 0,
  -- Facts delivered so far. A commit that finds more than its claim did leaves the run ready.
  deliveries integer not null default 0,
  wake_at timestamptz,
  -- When the wake-up that is under way was sent; null when none is.
  wake_up_sent_at timestamptz,
  lease_expires_at timestamptz,
  deadline_at timestamptz,
  created_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz,
  discarded_at timestamptz,
  failure jsonb,
  tags text[] not null,
  idempotency_key text,
  input jsonb not null,
  input_meta jsonb,
  output jsonb,
  output_meta jsonb,
  primary key (tenant, id),
  constraint status_is_known check
    (status in ('ready', 'running', 'waiting', 'completed', 'cancelled', 'failed', 'dead')),
  constraint leased_iff_running check ((lease_expires_at is not null) = (status = 'running')),
  constraint due_iff_parked check ((wake_at is not null) = (status in ('ready', 'waiting'))),
  constraint finished_iff_final check
    ((finished_at is not null) = (status in ('completed', 'cancelled', 'failed', 'dead'))),
  constraint failure_iff_dead_letter check ((failure is not null) = (status in ('failed', 'dead'))),
  constraint only_dead_letters_are_discarded check (discarded_at is null or status in ('failed', 'dead')),
  constraint output_only_when_completed check (output is null or status = 'completed')
) with (fillfactor = 80);

create index runs_due on pawl.runs (wake_at) where status in ('ready', 'waiting');
create index runs_leased on pawl.runs (lease_expires_at) where status = 'running';
create index runs_by_workflow on pawl.runs (tenant, workflow, id);
create index runs_dead_letters on pawl.runs (tenant, id) where status in ('failed', 'dead') and discarded_at is null;
create unique index runs_by_idempotency_key on pawl.runs (tenant, workflow, idempotency_key)
  where idempotency_key is not null;

-- Apart from runs, whose every update would otherwise write to an index over the tags too.
create table pawl.run_tags (
  tenant text not null,
  tag text not null,
  run_id text collate "C" not null,
  primary key (tenant, tag, run_id)
);

-- Insert-only. No foreign key to runs: entries are inserted by the statement that updates their run.
create table pawl.journal (
  tenant text not null,
  run_id text collate "C" not null,
  seq integer not null,
  kind text not null,
  key text,
  outcome text not null,
  attempt integer not null,
  -- The turn that wrote the entry.
  turn integer not null,
  started_at timestamptz not null,
  recorded_at timestamptz not null,
  retry_at timestamptz,
  failure jsonb,
  output jsonb,
  output_meta jsonb,
  primary key (tenant, run_id, seq),
  constraint once_per_attempt unique (tenant, run_id, key, attempt),
  constraint kind_is_known check (kind in ('step', 'sleep', 'revival')),
  constraint outcome_is_known check (outcome in ('completed', 'retrying', 'failed', 'revived')),
  constraint keyed_unless_revival check ((key is null) = (kind = 'revival')),
  constraint failure_iff_not_completed check ((failure is null) = (outcome = 'completed')),
  constraint retry_iff_retrying check ((retry_at is not null) = (outcome = 'retrying')),
  constraint output_only_when_completed check (output is null or outcome = 'completed')
);

create unique index journal_completed_once on pawl.journal (tenant, run_id, key) where outcome = 'completed';

-- Sleeps that have begun and are not over. Failed and dead runs keep theirs: they may be revived.
create table pawl.timers (
  tenant text not null,
  run_id text collate "C" not null,
  key text not null,
  begun_at timestamptz not null,
  due_at timestamptz not null,
  turn integer not null,
  primary key (tenant, run_id, key)
);

-- When each cron job last ran. It belongs to the deployment, not to a tenant.
create table pawl.ticks (
  job text primary key,
  ticked_at timestamptz not null
);

-- Runs that nothing would ever move again, with the reason. Always empty.
create view pawl.stuck_runs as
  select tenant, id, status, 'no single reason to move' as reason from pawl.runs
   where num_nonnulls(wake_at, lease_expires_at) <> (status in ('ready', 'running', 'waiting'))::int
  union all
  select r.tenant, r.id, r.status, 'sleeps past its timer ' || t.key from pawl.runs r
    join pawl.timers t on t.tenant = r.tenant and t.run_id = r.id
   -- A run that is due, or spaced out after a lost turn, moves again all the same.
   where r.status in ('ready', 'waiting') and r.wake_at > greatest(t.due_at, pawl.clock()) and r.lost_turns = 0
  union all
  select tenant, id, status, 'sleeps past its deadline' from pawl.runs
   where status in ('ready', 'waiting') and wake_at > deadline_at
  union all
  select t.tenant, t.run_id, coalesce(r.status, 'missing'), 'left the timer ' || t.key || ' behind' from pawl.timers t
    left join pawl.runs r on r.tenant = t.tenant and r.id = t.run_id
   where r.id is null or r.status in ('completed', 'cancelled');
