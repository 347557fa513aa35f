-- What runs tell the outside. An event is inserted by the transaction that journals it; from here it goes to the sinks.
create table pawl.outbox (
  tenant text not null,
  -- What the receiver knows it by: the same whenever it is sent again.
  id text not null,
  -- Of one run the order in which its events were made: whoever inserts holds the run's row.
  seq bigint generated always as identity,
  run_id text collate "C" not null,
  -- The run may be forgotten before its last event is sent.
  workflow text not null,
  type text not null,
  subject text,
  data jsonb,
  data_meta jsonb,
  emitted_at timestamptz not null,
  -- When it was handed to the sinks of that time; one that is configured later does not get it.
  routed_at timestamptz,
  primary key (tenant, id)
);

create unique index outbox_in_order on pawl.outbox (tenant, seq);
create index outbox_by_run on pawl.outbox (tenant, run_id, seq);
create index outbox_unrouted on pawl.outbox (seq) where routed_at is null;
create index outbox_by_age on pawl.outbox (emitted_at);

-- One event on its way to one sink. The key serves the order: an event waits for the earlier ones of its run.
create table pawl.outbox_sends (
  tenant text not null,
  run_id text collate "C" not null,
  sink text not null,
  seq bigint not null,
  status text not null default 'pending',
  -- Tries that have begun. The number fences what is written about a try.
  attempts integer not null default 0,
  -- When it may be tried; while a try is under way, when that counts as lost.
  next_at timestamptz,
  last_error text,
  sent_at timestamptz,
  primary key (tenant, run_id, sink, seq),
  constraint send_status_is_known check (status in ('pending', 'sent', 'dead')),
  constraint due_iff_pending check ((next_at is not null) = (status = 'pending')),
  constraint sent_iff_sent check ((sent_at is not null) = (status = 'sent'))
);

create index outbox_sends_due on pawl.outbox_sends (sink, next_at) where status = 'pending';
create index outbox_sends_by_status on pawl.outbox_sends (tenant, status, seq) where status <> 'sent';
