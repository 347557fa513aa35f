-- One error fails a hundred runs, and each message names another order. What is left of it without what differs from run
-- to run tells which dead letters are of one kind.

-- Without quoted texts, ids and numbers: a word with a digit in it is one of these.
create function pawl.normalised(message text) returns text language sql immutable strict parallel safe as $$
  select regexp_replace(regexp_replace(left(message, 300), '"[^"]*"|''[^'']*''|`[^`]*`', '"…"', 'g'),
    '\w*\d\w*([-.:/]\w*\d\w*)*', '#', 'g')
$$;

-- Of the failure that ended a run: its workflow and step, and name and message of what the step threw. An index holds
-- what this gives, so another way to tell kinds apart needs a function of another name.
create function pawl.fingerprint(workflow text, failure jsonb) returns text language sql immutable strict parallel safe as $$
  select left(md5(concat_ws(E'\x1f', workflow, failure ->> 'step', thrown ->> 'name',
    pawl.normalised(thrown ->> 'message'))), 16)
  from (select case when failure ->> 'code' = 'step_failed' and failure ? 'cause' then failure -> 'cause' else failure end) f (thrown)
$$;

create index runs_by_fingerprint on pawl.runs (tenant, pawl.fingerprint(workflow, failure), id)
  where status in ('failed', 'dead') and discarded_at is null;
