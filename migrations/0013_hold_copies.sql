-- For a copy of a database, be it a restored dump or a branch: `select pawl.hold_everything()`, before a worker reaches it. The copy
-- knows nothing of being one, and would sleep, step and send as the original does. Afterwards every run is paused, and is
-- resumed like any other; events that were not sent yet count as dead, and can be redelivered one by one; bulk actions end.
create function pawl.hold_everything() returns void language sql as $$
  -- Turns and branches that were under way when the copy was made have nobody who goes on with them.
  update pawl.runs set status = 'paused', paused_at = coalesce(paused_at, pawl.clock()), wake_at = null, wake_up_sent_at = null,
    turn = turn + (status = 'running')::int, lease_expires_at = null
  where status in ('ready', 'running', 'waiting');
  -- An at-most-once body that had begun is left to the sweep, which leaves it to a person.
  update pawl.branches set wake_at = pawl.clock(), wake_up_sent_at = null, turn = turn + 1, lease_expires_at = null
  where lease_expires_at is not null and not started;
  update pawl.outbox_sends set status = 'dead', next_at = null, last_error = 'held: this database is a copy'
  where status = 'pending';
  update pawl.outbox set routed_at = pawl.clock() where routed_at is null;
  update pawl.bulk_actions set status = 'aborted', next_at = null, finished_at = pawl.clock(), updated_at = pawl.clock()
  where status = 'running';
$$;
