-- What people did to runs, insert-only, and what they noted.
create table pawl.actions (
  tenant text not null,
  id bigint generated always as identity,
  run_id text collate "C" not null,
  verb text not null,
  -- The role of whoever did it.
  done_by text not null,
  done_at timestamptz not null,
  -- The run that it made, of a rerun or a fork.
  new_run_id text collate "C",
  -- The bulk action that it was a part of.
  bulk_id text collate "C",
  note text,
  primary key (tenant, id),
  constraint verb_is_known check
    (verb in ('cancel', 'pause', 'resume', 'revive', 'discard', 'rerun', 'fork', 'resolve', 'note')),
  constraint note_says_something check (verb <> 'note' or note is not null)
);

create index actions_by_run on pawl.actions (tenant, run_id, id);
