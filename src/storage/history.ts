import type { Action, ActionVerb, History, NewAction } from "../engine/history.ts";
import type { Db } from "./db.ts";

const COLUMNS = `a.tenant, a.id::float8 as id, a.run_id, a.verb, a.done_by, pawl.ms(a.done_at) as done_at,
  a.new_run_id, a.bulk_id, a.note`;

const ADD = `
insert into pawl.actions as a (tenant, run_id, verb, done_by, done_at, new_run_id, note)
values ($1, $2, $3, $4, pawl.clock(), $5, $6)
returning ${COLUMNS}`;

const LIST = `
select ${COLUMNS} from pawl.actions a
where a.tenant = $1 and ($2::text is null or a.run_id = $2) and a.id < coalesce($3::bigint, 9223372036854775807)
order by a.id desc limit $4`;

interface ActionRow {
  readonly tenant: string;
  readonly id: number;
  readonly run_id: string;
  readonly verb: ActionVerb;
  readonly done_by: string;
  readonly done_at: number;
  readonly new_run_id: string | null;
  readonly bulk_id: string | null;
  readonly note: string | null;
}

export function createHistory(db: Db): History {
  return {
    async add({ tenant, runId, verb, by, newRunId = null, note = null }: NewAction) {
      const params = [tenant, runId, verb, by, newRunId, note];
      const [rows = []] = await db.execute([{ text: ADD, params }]);
      return toAction(rows[0] as unknown as ActionRow);
    },
    async list(tenant, runId, limit, before) {
      const [rows = []] = await db.execute([{ text: LIST, params: [tenant, runId, before, limit] }]);
      return (rows as unknown as ActionRow[]).map(toAction);
    },
  };
}

function toAction(row: ActionRow): Action {
  const { tenant, id, verb, note } = row;
  const what = { by: row.done_by, at: row.done_at, newRunId: row.new_run_id, bulkId: row.bulk_id };
  return { tenant, id, runId: row.run_id, verb, note, ...what };
}
