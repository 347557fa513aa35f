-- Where the time of turns goes, in all isolates together. `buckets` counts by the bounds in src/engine/timings.ts, so that
-- isolates, hours and deployments can be added up.
create table pawl.timings (
  hour timestamptz not null,
  phase text not null,
  -- Turns and branches that went through the phase.
  turns bigint not null,
  total_ms double precision not null,
  buckets bigint[] not null,
  primary key (hour, phase)
);
