/** Fills a database as a deployment leaves it after a busy month: nearly everything is over, the rest sleeps or waits. */
import type pg from "pg";

export interface Size {
  readonly finished: number;
  readonly sleeping: number;
}

/**
 * Ids are ULIDs: ten characters of time, then the run's number, so that the order of the ids is that of the numbers.
 * The month lies evenly over all of them.
 */
const ID = `
create function bench_created(n bigint, total bigint) returns timestamptz language sql stable as
  $$ select date_trunc('minute', now()) - interval '30 days' * (1 - n::float8 / total) $$;

create function bench_id(n bigint, total bigint) returns text language sql stable as $$
  select (select string_agg(substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', ((ms >> (5 * digit)) & 31)::int + 1, 1), ''
      order by digit desc) from generate_series(0, 9) digit) || upper(lpad(to_hex(n), 16, '0'))
  from (select (extract(epoch from bench_created(n, total)) * 1000)::bigint as ms) t $$`;

/** One in so many sleeps, spread evenly among the others. */
const every = ({ finished, sleeping }: Size) => Math.round((finished + sleeping) / sleeping);

/** `n` numbers the runs. Each statement refers to what the ones before it wrote. */
const statements = (size: Size): readonly string[] => {
  const total = size.finished + size.sleeping;
  const nth = every(size);
  return [
    `create unlogged table bench_runs as
      select n, bench_id(n, ${total}) as id, bench_created(n, ${total}) as created_at,
        case when n % ${nth} = 0 then 'waiting' when n % 100 = 1 then 'failed' when n % 200 = 2 then 'dead'
          when n % 100 = 3 then 'cancelled' else 'completed' end as status,
        now() + interval '7 days' + (n::float8 / ${total}) * interval '80 days' as wake_at
      from generate_series(1::bigint, ${total}) n`,
    "create unique index on bench_runs (n)",
    "vacuum analyze bench_runs",

    `insert into pawl.runs (tenant, id, workflow, version, status, turn, steps_done, wake_at, created_at, started_at,
        finished_at, failure, discarded_at, tags, idempotency_key, parent_id, input, output)
      select 'default', id, 'workflow ' || n % 7, 1, status, 4, 3, case when status = 'waiting' then wake_at end,
        created_at, created_at, case when status <> 'waiting' then created_at + interval '5 min' end,
        case when status in ('failed', 'dead') then jsonb_build_object('code', 'error', 'name', 'Error', 'message', 'boom',
          'stack', repeat('at somewhere in the code', 40)) end,
        case when status in ('failed', 'dead') and n % 400 < 200 then now() end,
        case when n % 4 = 0 then array['tag ' || n / 4 % 50] else '{}' end, case when n % 10 = 0 then 'key ' || n end,
        case when n % 20 = 1 then bench_id(n - n % 20000 + 1, ${total}) end,
        jsonb_build_object('order', n, 'customer', 'Ada Lovelace', 'note', repeat('x', 100)),
        case when status = 'completed' then '{"shipped": true}'::jsonb end
      from bench_runs order by n`,
    `insert into pawl.run_tags (tenant, tag, run_id)
      select 'default', 'tag ' || n / 4 % 50, id from bench_runs where n % 4 = 0
      union all select 'default', 'rare', id from bench_runs where n < 30`,
    `insert into pawl.journal (tenant, run_id, seq, kind, key, outcome, attempt, turn, started_at, recorded_at, output)
      select 'default', id, seq, 'step', 'step ' || seq, 'completed', 1, seq, created_at, created_at, '{"ok": true}'
      from bench_runs, generate_series(1, 3) seq where n % 5 = 0 order by n, seq`,
    `insert into pawl.journal (tenant, run_id, seq, kind, key, outcome, attempt, turn, started_at, recorded_at, output)
      select 'default', id, seq, 'step', 'long ' || seq, 'completed', 1, seq, created_at, created_at, '{"ok": true}'
      from bench_runs, generate_series(1, 50000) seq where n = 1`,

    `insert into pawl.timers (tenant, run_id, key, begun_at, due_at, turn)
      select 'default', id, 'nap', created_at, wake_at, 4 from bench_runs where status = 'waiting'`,
    `insert into pawl.waits (tenant, run_id, key, kind, name, begun_at, turn)
      select 'default', id, 'approved', 'signal', 'approved', created_at, 4
      from bench_runs where status = 'waiting' and n % 3 = 0
      union all
      select 'default', id, 'receive', 'message', 'channel ' || n % 100, created_at, 4
      from bench_runs where status = 'waiting' and n % 3 = 1
      union all
      select 'default', id, 'charge card', 'person', 'charge card', created_at, 4
      from (select * from bench_runs where status = 'waiting' and n % 3 = 2 order by n limit 30) first`,
    `insert into pawl.branches (tenant, run_id, key, asked_at, attempt, spent, turn, wake_at, begun_at)
      select 'default', id, 'part ' || part, 3, 2, 1, 1, wake_at, created_at
      from bench_runs, generate_series(1, 4) part where status = 'waiting' and n % 4 = 0`,
    `insert into pawl.deliveries (tenant, run_id, kind, name, outcome, dedupe_id, arrived_at, consumed_by)
      select 'default', id, 'signal', 'approved', 'completed', 'sent', created_at, 'approved'
      from bench_runs where n % 9 = 0`,
    `insert into pawl.channels (tenant, name, mode) select 'default', 'channel ' || c, 'broadcast' from generate_series(0, 99) c`,
    `insert into pawl.messages (tenant, channel, dedupe_id, payload, published_at)
      select 'default', 'channel ' || m % 100, m, '{"news": 1}', now() - m * interval '1 s'
      from generate_series(1, 200000) m`,
    `insert into pawl.subscriptions (tenant, channel, run_id, cursor, subscribed_at)
      select tenant, name, run_id, (select max(m.id) from pawl.messages m where m.tenant = w.tenant and m.channel = w.name),
        begun_at from pawl.waits w where kind = 'message'`,
    `insert into pawl.run_groups (tenant, name, run_id, joined_at)
      select 'default', 'group ' || n % 5, id, created_at from bench_runs where status = 'waiting'`,
    `insert into pawl.hooks (tenant, run_id, key, digest, expires_at)
      select 'default', id, 'hook', n, now() + interval '30 days' from bench_runs where status = 'waiting'`,
    `insert into pawl.run_state (tenant, run_id, key, value, updated_at)
      select 'default', id, 'progress', '50', created_at from bench_runs where n % 20 = 0`,
    `insert into pawl.outbox (tenant, id, run_id, workflow, type, data, emitted_at, routed_at)
      select 'default', id || '/done', id, 'workflow 1', 'order.shipped', '{}', now() - (n % 500000) * interval '1 s', now()
      from bench_runs where n % 5 = 0 order by n`,
    `insert into pawl.outbox_sends (tenant, run_id, sink, seq, status, attempts, next_at, sent_at)
      select tenant, run_id, 'warehouse', seq, case when seq % 1000 = 0 then 'dead' else 'sent' end, 1, null,
        case when seq % 1000 <> 0 then now() end from pawl.outbox`,
    "drop table bench_runs",
    "vacuum analyze",
  ];
};

/** Throws when what it made would be stuck: figures of such a database would mean nothing. */
export async function seed(client: pg.Client, size: Size): Promise<void> {
  await client.query(ID);
  for (const statement of statements(size)) await client.query(statement);
  const { rows } = await client.query("select id, reason from pawl.stuck_runs limit 3");
  if (rows.length > 0) throw new Error(`The seeded runs are stuck: ${JSON.stringify(rows)}`);
}
