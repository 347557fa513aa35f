-- A cron that knows of nothing to do stays away from the database, so that one that scales to zero can. Here it says so before it goes.
alter table pawl.ticks
  -- What the last tick read in the agenda, and since when every tick has read the same: a mark is put there by whoever
  -- changes something from outside.
  add column mark text,
  add column marked_at timestamptz,
  -- Until when no tick may come here; null while every tick does.
  add column idle_until timestamptz;
