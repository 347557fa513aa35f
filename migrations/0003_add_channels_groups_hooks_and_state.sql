-- What runs share with each other and show to the outside.

-- A channel keeps the mode of its first subscriber, or of the first message that names who gets it. Until then it
-- has none, and keeps what is published for whoever will come.
create table pawl.channels (
  tenant text not null,
  name text not null,
  mode text,
  primary key (tenant, name),
  constraint mode_is_known check (mode in ('broadcast', 'competing', 'direct'))
);

create table pawl.subscriptions (
  tenant text not null,
  channel text not null,
  run_id text collate "C" not null,
  -- The last message that the run was brought; of a broadcast, every later one is still to come.
  cursor bigint not null,
  subscribed_at timestamptz not null,
  primary key (tenant, channel, run_id)
);

create index subscriptions_by_run on pawl.subscriptions (tenant, run_id);

-- Whoever publishes holds the row of the channel, so that ids become visible in their order and no cursor passes one.
create table pawl.messages (
  tenant text not null,
  channel text not null,
  id bigint generated always as identity,
  -- What the publisher calls it: published twice, it is there once.
  dedupe_id text not null,
  payload jsonb not null,
  payload_meta jsonb,
  -- Of a direct channel: the run that gets it.
  to_run text collate "C",
  published_at timestamptz not null,
  -- The run that was brought it; a broadcast is everybody's.
  claimed_by text collate "C",
  primary key (tenant, channel, id)
);

create unique index messages_once on pawl.messages (tenant, channel, dedupe_id);
create index messages_unclaimed on pawl.messages (tenant, channel, id) where claimed_by is null;
create index messages_claimed on pawl.messages (tenant, claimed_by) where claimed_by is not null;
create index messages_by_age on pawl.messages (published_at);

create table pawl.run_groups (
  tenant text not null,
  name text not null,
  run_id text collate "C" not null,
  joined_at timestamptz not null,
  primary key (tenant, name, run_id)
);

create index run_groups_by_run on pawl.run_groups (tenant, run_id);

-- One-time addresses. The token itself is nowhere: it is derived from a secret, and known by its digest.
create table pawl.hooks (
  tenant text not null,
  run_id text collate "C" not null,
  key text not null,
  digest text not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  primary key (tenant, run_id, key)
);

create unique index hooks_by_digest on pawl.hooks (digest);

-- What a run shows of itself while it runs.
create table pawl.run_state (
  tenant text not null,
  run_id text collate "C" not null,
  key text not null,
  value jsonb not null,
  updated_at timestamptz not null,
  primary key (tenant, run_id, key)
);

-- Steps that were appended to a live graph, by the caller's key for the request.
create table pawl.mutations (
  tenant text not null,
  run_id text collate "C" not null,
  mutation_key text not null,
  request jsonb not null,
  requested_at timestamptz not null,
  primary key (tenant, run_id, mutation_key)
);
