/** What runs show to others: groups, hooks, state. */

import type { Json } from "../../engine/codec.ts";
import type { Decision } from "../../engine/decide.ts";
import { given, type Part, turnOf } from "./part.ts";

/** Of several joins and leaves of one group, the last counts. */
export const changeGroups: Part = {
  rowsOf: (decision) => {
    const last = new Map<string, boolean>();
    for (const effect of decision.effects) {
      if (effect.kind === "join" || effect.kind === "leave") last.set(effect.group, effect.kind === "join");
    }
    return [...last].map(([name, member]) => ({ ...turnOf(decision), name, member }));
  },
  text: `
with ${given('"name" text, "member" boolean')},
left_group as (
  delete from pawl.run_groups m using given g
  where not g.member and m.tenant = g.tenant and m.name = g.name and m.run_id = g."runId"
)
insert into pawl.run_groups (tenant, name, run_id, joined_at)
select g.tenant, g.name, g."runId", pawl.clock() from given g where g.member
on conflict do nothing`,
};

export const addHooks: Part = {
  rowsOf: (decision) =>
    decision.effects.flatMap((effect) =>
      effect.kind === "hook"
        ? [{ ...turnOf(decision), key: effect.key, digest: effect.digest, expiresInMs: effect.expiresInMs }]
        : [],
    ),
  text: `
with ${given('"key" text, "digest" text, "expiresInMs" float8')}
insert into pawl.hooks (tenant, run_id, key, digest, expires_at)
select g.tenant, g."runId", g.key, g.digest, pawl.clock() + g."expiresInMs" * interval '1 ms' from given g
on conflict do nothing`,
};

/** Everything that one turn does to a key comes down to one row: what it is set to, if it is, and what is added. */
export const changeState: Part = {
  rowsOf: stateOf,
  text: `
with ${given('"key" text, "isSet" boolean, "value" jsonb, "added" jsonb')}
insert into pawl.run_state as s (tenant, run_id, key, value, updated_at)
select g.tenant, g."runId", g.key,
  case when not g."isSet" then g.added when g.added = '[]' then coalesce(g.value, 'null')
    else coalesce(g.value, 'null') || g.added end,
  pawl.clock()
from given g
on conflict (tenant, run_id, key) do update set updated_at = excluded.updated_at,
  value = case when (select x."isSet" from given x where x.tenant = s.tenant and x."runId" = s.run_id and x.key = s.key)
    then excluded.value else s.value || excluded.value end`,
};

interface StateRow {
  readonly tenant: string;
  readonly runId: string;
  readonly turn: number;
  readonly key: string;
  isSet: boolean;
  value: Json;
  added: Json[];
}

function stateOf(decision: Decision) {
  const rows = new Map<string, StateRow>();
  for (const effect of decision.effects) {
    if (effect.kind !== "set" && effect.kind !== "append") continue;
    const { key, value } = effect;
    const row = rows.get(key) ?? { ...turnOf(decision), key, isSet: false, value: null, added: [] };
    if (effect.kind === "set") rows.set(key, { ...row, isSet: true, value: value.json, added: [] });
    else rows.set(key, { ...row, added: [...row.added, value.json] });
  }
  return [...rows.values()].map((row) => ({ ...row }));
}
