-- One verb for many runs, taken in shares: each commits how far it came, so a worker that dies costs one share at most.
create table pawl.bulk_actions (
  tenant text not null,
  id text collate "C" not null,
  verb text not null,
  -- What the runs are taken from, and the question as it was asked.
  source text not null,
  asked jsonb,
  -- What the list is asked, or the ids.
  filter jsonb,
  ids jsonb,
  compensate boolean not null default false,
  -- Runs per second, at most.
  rate integer not null,
  note text,
  done_by text not null,
  idempotency_key text,
  status text not null default 'running',
  -- How many there were at first, and whether that was all.
  matching integer not null,
  matching_exact boolean not null,
  done integer not null default 0,
  skipped integer not null default 0,
  failed integer not null default 0,
  -- Of the first that failed: [{"runId", "message"}].
  failures jsonb not null default '[]',
  -- The last run that was seen to: it goes from the newest to the oldest.
  cursor text collate "C",
  -- The fence: raised by every claim.
  turn integer not null default 0,
  -- When the next share is due; while one is taken, when that counts as lost.
  next_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  finished_at timestamptz,
  primary key (tenant, id),
  constraint bulk_verb_is_known check (verb in ('cancel', 'pause', 'resume', 'revive', 'rerun', 'discard')),
  constraint bulk_status_is_known check (status in ('running', 'done', 'aborted')),
  constraint bulk_source_is_known check (source in ('ids', 'runs', 'deadLetters')),
  constraint bulk_has_one_source check (num_nonnulls(filter, ids) = 1),
  constraint bulk_is_due_while_running check ((next_at is not null) = (status = 'running')),
  constraint bulk_is_over_or_not check ((finished_at is not null) = (status <> 'running'))
);

create index bulk_actions_due on pawl.bulk_actions (next_at) where status = 'running';
create unique index bulk_actions_by_idempotency_key on pawl.bulk_actions (tenant, idempotency_key)
  where idempotency_key is not null;
