-- A person who looks at a slow run asks whether a step waited or worked. The journal knows how long a step's body ran,
-- but not since when it could have. All of these are null in what is older.

-- When the last turn was claimed.
alter table pawl.runs add column turn_begun_at timestamptz;
alter table pawl.branches add column turn_begun_at timestamptz;

-- Of what a branch gave: since when the branch was there to be performed. The branch itself is gone by then.
alter table pawl.deliveries add column queued_at timestamptz;
alter table pawl.journal add column queued_at timestamptz;
