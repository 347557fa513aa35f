-- Runs do more than step and sleep: they wait for facts from outside, perform several steps side by side, have
-- children and undo what they did.

alter table pawl.runs
  -- Forward until its verdict is known; then it undoes what it did, if it has something to undo.
  add column phase text not null default 'forward',
  -- What the run will be once everything is undone: {"status": "failed" | "cancelled", "failure": …}.
  add column verdict jsonb,
  -- Compensators that failed for good.
  add column failed_compensations integer not null default 0,
  -- When a run that was started with a delay may begin; a pause forgets its wake_at.
  add column starts_at timestamptz,
  -- Set while a person holds the run. One that is running is parked by the commit of its turn.
  add column paused_at timestamptz,
  add column parent_id text collate "C",
  -- The key of the step in the parent that waits for this run; null when nobody waits.
  add column parent_key text,
  -- The runs before and after this one in a chain of continueAsNew, and the one it was forked from.
  add column continued_from text collate "C",
  add column continued_to text collate "C",
  add column forked_from text collate "C",
  -- The version of the worker that started it, where the platform names one.
  add column deployment text,
  drop constraint status_is_known,
  add constraint status_is_known check
    (status in ('ready', 'running', 'waiting', 'paused', 'completed', 'cancelled', 'failed', 'dead')),
  -- A waiting run without a time waits for a fact: see pawl.waits and pawl.branches.
  drop constraint due_iff_parked,
  add constraint due_only_when_parked check (wake_at is null or status in ('ready', 'waiting')),
  add constraint ready_is_due check (status <> 'ready' or wake_at is not null),
  add constraint paused_is_held check (status <> 'paused' or paused_at is not null),
  add constraint phase_is_known check (phase in ('forward', 'compensating')),
  add constraint verdict_iff_compensating check ((verdict is not null) = (phase = 'compensating')),
  add constraint awaited_has_a_parent check (parent_key is null or parent_id is not null);

create index runs_by_parent on pawl.runs (tenant, parent_id) where parent_id is not null;

alter table pawl.journal
  drop constraint kind_is_known,
  add constraint kind_is_known check (kind in ('step', 'transaction', 'sleep', 'signal', 'message', 'child', 'start',
    'subscribe', 'unsubscribe', 'publish', 'send', 'hook', 'emit', 'join', 'leave', 'state', 'value', 'mutation',
    'compensation', 'revival')),
  drop constraint outcome_is_known,
  add constraint outcome_is_known check
    (outcome in ('completed', 'timed_out', 'retrying', 'unknown', 'failed', 'revived')),
  drop constraint failure_iff_not_completed,
  add constraint failure_iff_not_settled_well check ((failure is null) = (outcome in ('completed', 'timed_out')));

-- What a run is parked for, besides sleeps: a signal, a message, a child's end, a person's word, more steps of a graph.
create table pawl.waits (
  tenant text not null,
  run_id text collate "C" not null,
  key text not null,
  kind text not null,
  -- The signal, the channel, or the child's id.
  name text not null,
  begun_at timestamptz not null,
  -- When it is given up; null for never.
  due_at timestamptz,
  turn integer not null,
  primary key (tenant, run_id, key),
  constraint wait_kind_is_known check (kind in ('signal', 'message', 'child', 'person', 'mutation'))
);

create index waits_by_name on pawl.waits (tenant, kind, name);

-- Facts that have arrived for a run. The commit that journals one deletes it; of a signal it keeps the id, so that
-- the same signal sent again is known. Whoever inserts one raises runs.deliveries under the lock of the run's row.
create table pawl.deliveries (
  tenant text not null,
  run_id text collate "C" not null,
  id bigint generated always as identity,
  kind text not null,
  -- The signal's name; for the other kinds the key of the step that waits.
  name text not null,
  outcome text not null,
  attempt integer not null default 1,
  -- Attempts of a branch that failed before: [{"attempt", "failure", "atMs", "tookMs"}].
  attempts jsonb not null default '[]',
  took_ms float8 not null default 0,
  payload jsonb,
  payload_meta jsonb,
  failure jsonb,
  -- What the sender calls it: sent twice, it arrives once.
  dedupe_id text,
  -- The channel's message that it brings.
  message_id bigint,
  arrived_at timestamptz not null,
  -- The key of the entry that took it; only signals stay after that.
  consumed_by text,
  primary key (tenant, run_id, id),
  constraint delivery_kind_is_known check (kind in ('signal', 'message', 'child', 'branch', 'person', 'mutation')),
  constraint delivery_outcome_is_known check
    (outcome in ('completed', 'failed', 'cancelled', 'dead', 'unknown', 'again'))
);

create unique index deliveries_once on pawl.deliveries (tenant, run_id, kind, name, dedupe_id) where dedupe_id is not null;

-- A step that runs apart from its run's turn, because several can run at once. The row goes when its outcome is
-- delivered, or when nobody waits for it any more.
create table pawl.branches (
  tenant text not null,
  run_id text collate "C" not null,
  key text not null,
  -- Replay up to this entry of the journal reaches the step.
  asked_at integer not null,
  -- The number of the attempt that is next or under way, and how many count against the budget.
  attempt integer not null,
  spent integer not null,
  -- Failed attempts that are not in the journal yet.
  attempts jsonb not null default '[]',
  -- The fence: raised by every claim and reclaim.
  turn integer not null default 0,
  lost_turns integer not null default 0,
  -- Set before the body of an at-most-once step runs: one that is lost after that is not tried again.
  started boolean not null default false,
  wake_at timestamptz,
  wake_up_sent_at timestamptz,
  lease_expires_at timestamptz,
  begun_at timestamptz not null,
  primary key (tenant, run_id, key),
  constraint branch_is_due_or_leased check (num_nonnulls(wake_at, lease_expires_at) = 1)
);

create index branches_due on pawl.branches (wake_at) where wake_at is not null;
create index branches_leased on pawl.branches (lease_expires_at) where lease_expires_at is not null;

-- A parent hears of a child's end from whoever ends it. A row that is deleted ends nothing by itself, so the table
-- says it, for whatever deletes runs. The tick sends the parent's wake-up.
create function pawl.tell_of_deleted_child() returns trigger language plpgsql as $$
begin
  insert into pawl.deliveries (tenant, run_id, kind, name, outcome, failure, dedupe_id, arrived_at)
  select w.tenant, w.run_id, 'child', w.key, 'dead',
    jsonb_build_object('code', 'child_deleted', 'name', 'ChildDeleted', 'message', 'The run was deleted.'), old.id,
    pawl.clock()
  from pawl.waits w
  where w.tenant = old.tenant and w.run_id = old.parent_id and w.key = old.parent_key and w.kind = 'child' and w.name = old.id
  on conflict do nothing;
  if found then
    update pawl.runs set deliveries = deliveries + 1, wake_up_sent_at = null,
      wake_at = case when status = 'waiting' then pawl.clock() else wake_at end
    where tenant = old.tenant and id = old.parent_id;
  end if;
  return null;
end $$;

create trigger tell_of_deleted_child after delete on pawl.runs for each row
  when (old.parent_key is not null) execute function pawl.tell_of_deleted_child();

-- The runs that the first statement of this transaction committed: what the statements after it may write for.
create function pawl.committed() returns table (tenant text, run_id text) language sql stable as
  $$ select c ->> 0, c ->> 1 from jsonb_array_elements(coalesce(nullif(current_setting('pawl.committed', true), ''), '[]')::jsonb) c $$;

-- Runs that nothing would ever move again, with the reason. Always empty.
create or replace view pawl.stuck_runs as
  select tenant, id, status, 'no single reason to move' as reason from pawl.runs
   where num_nonnulls(wake_at, lease_expires_at) > (status in ('ready', 'running', 'waiting'))::int
      or (status in ('ready', 'running') and num_nonnulls(wake_at, lease_expires_at) = 0)
  union all
  select r.tenant, r.id, r.status, 'waits for nothing' from pawl.runs r
   where r.status = 'waiting' and r.wake_at is null
     and not exists (select from pawl.waits w where w.tenant = r.tenant and w.run_id = r.id)
     and not exists (select from pawl.branches b where b.tenant = r.tenant and b.run_id = r.id)
  union all
  select r.tenant, r.id, r.status, 'parked beside the delivery for ' || d.name from pawl.runs r
    join pawl.deliveries d on d.tenant = r.tenant and d.run_id = r.id and d.consumed_by is null
    join pawl.waits w on w.tenant = r.tenant and w.run_id = r.id and w.kind = d.kind
     and case when d.kind in ('signal', 'mutation') then w.name else w.key end = d.name
   where r.status = 'waiting' and r.phase = 'forward' and (r.wake_at is null or r.wake_at > pawl.clock())
  union all
  select r.tenant, r.id, r.status, 'waits for the child ' || w.name || ', which is over' from pawl.runs r
    join pawl.waits w on w.tenant = r.tenant and w.run_id = r.id and w.kind = 'child'
    left join pawl.runs c on c.tenant = w.tenant and c.id = w.name
   where r.status = 'waiting' and (c.id is null or (c.finished_at is not null and c.continued_to is null)) and not exists (select from pawl.deliveries d
     where d.tenant = r.tenant and d.run_id = r.id and d.kind = 'child' and d.name = w.key)
  union all
  select r.tenant, r.id, r.status, 'sleeps past its timer ' || t.key from pawl.runs r
    join pawl.timers t on t.tenant = r.tenant and t.run_id = r.id
   -- A run that is due, or spaced out after a lost turn, moves again all the same.
   where r.status in ('ready', 'waiting') and r.phase = 'forward' and r.lost_turns = 0
     and coalesce(r.wake_at, 'infinity') > greatest(t.due_at, pawl.clock())
  union all
  select r.tenant, r.id, r.status, 'waits past the time of ' || w.key from pawl.runs r
    join pawl.waits w on w.tenant = r.tenant and w.run_id = r.id
   where r.status in ('ready', 'waiting') and r.phase = 'forward' and r.lost_turns = 0 and w.due_at is not null
     and coalesce(r.wake_at, 'infinity') > greatest(w.due_at, pawl.clock())
  union all
  select tenant, id, status, 'sleeps past its deadline' from pawl.runs
   where status in ('ready', 'waiting') and phase = 'forward' and coalesce(wake_at, 'infinity') > deadline_at
  union all
  select t.tenant, t.run_id, coalesce(r.status, 'missing'), 'left the timer ' || t.key || ' behind' from pawl.timers t
    left join pawl.runs r on r.tenant = t.tenant and r.id = t.run_id
   where r.id is null or r.status in ('completed', 'cancelled')
  union all
  select w.tenant, w.run_id, coalesce(r.status, 'missing'), 'left the wait ' || w.key || ' behind' from pawl.waits w
    left join pawl.runs r on r.tenant = w.tenant and r.id = w.run_id
   where r.id is null or r.status in ('completed', 'cancelled')
  union all
  select b.tenant, b.run_id, coalesce(r.status, 'missing'), 'left the branch ' || b.key || ' behind' from pawl.branches b
    left join pawl.runs r on r.tenant = b.tenant and r.id = b.run_id
   where r.id is null or r.status in ('completed', 'cancelled', 'failed');
