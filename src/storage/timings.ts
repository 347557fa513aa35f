import { PHASES, type PhaseTimes, type SweepTime, type Timings } from "../engine/timings.ts";
import type { Db } from "./db.ts";

/** In one order, so that two isolates that add at once wait for each other and never in a circle. */
const ADD = `
insert into pawl.timings as t (hour, phase, turns, total_ms, buckets)
select date_trunc('hour', pawl.clock()), a.phase, a.turns, a."totalMs", a.buckets
from jsonb_to_recordset($1::jsonb) as a ("phase" text, "turns" bigint, "totalMs" float8, "buckets" bigint[])
order by a.phase
on conflict (hour, phase) do update set turns = t.turns + excluded.turns, total_ms = t.total_ms + excluded.total_ms,
  buckets = (select array_agg(coalesce(u.kept, 0) + coalesce(u.added, 0) order by u.i)
    from unnest(t.buckets, excluded.buckets) with ordinality as u (kept, added, i))`;

const FORGET = "delete from pawl.timings where hour < pawl.clock() - interval '30 days'";

const READ = `
select t.phase, sum(t.turns)::float8 as turns, sum(t.total_ms)::float8 as total_ms,
  (select json_agg(b.count order by b.i) from (
    select u.i, sum(u.count) as count from pawl.timings o, unnest(o.buckets) with ordinality as u (count, i)
    where o.phase = t.phase and o.hour > pawl.clock() - $1::float8 * interval '1 hour' group by u.i) b) as buckets
from pawl.timings t where t.hour > pawl.clock() - $1::float8 * interval '1 hour'
group by t.phase`;

/** In one order, for the same reason. */
const NOTE_SWEEPS = `
insert into pawl.sweeps as s (name, swept_at, ms, outcome)
select a.name, pawl.clock(), a.ms, a.outcome
from jsonb_to_recordset($1::jsonb) as a ("name" text, "ms" float8, "outcome" text)
order by a.name
on conflict (name) do update set swept_at = excluded.swept_at, ms = excluded.ms, outcome = excluded.outcome`;

const SWEEPS = `
select s.name, pawl.ms(s.swept_at) as at, s.ms, s.outcome from pawl.sweeps s order by s.name`;

interface Row {
  readonly phase: PhaseTimes["phase"];
  readonly turns: number;
  readonly total_ms: number;
  readonly buckets: number[];
}

export function createTimings(db: Db): Timings {
  return {
    async add(times) {
      await db.execute([
        { text: ADD, params: [JSON.stringify(times)] },
        { text: FORGET, params: [] },
      ]);
    },
    async read(hours) {
      const [rows = []] = await db.execute([{ text: READ, params: [hours] }]);
      return (rows as unknown as Row[])
        .map(({ phase, turns, total_ms, buckets }) => ({ phase, turns, totalMs: total_ms, buckets }))
        .sort((a, b) => PHASES.indexOf(a.phase) - PHASES.indexOf(b.phase));
    },
    async noteSweeps(times) {
      await db.execute([{ text: NOTE_SWEEPS, params: [JSON.stringify(times)] }]);
    },
    async sweeps() {
      const [rows = []] = await db.execute([{ text: SWEEPS, params: [] }]);
      return rows as unknown as (SweepTime & { at: number })[];
    },
  };
}
