/** A run and all its descendants: the children that somebody up the tree waits for. Detached runs are on their own. */

/** Where a run is not over. */
export const LIVE = "('ready', 'running', 'waiting', 'paused')";

/** `$1` is the tenant, `$2` the run. Empty when the run does not fulfil `condition`: what is refused moves nobody. */
export const tree = (condition: string) => `
tree as (
  select tenant, id from pawl.runs where tenant = $1 and id = $2 and ${condition}
  union all
  select c.tenant, c.id from tree t
  join pawl.runs c on c.tenant = t.tenant and c.parent_id = t.id and c.parent_key is not null
)`;

/** The tree of a run that is not over. */
export const LIVE_TREE = tree(`status in ${LIVE}`);

/**
 * I11: locks the tree and the parent of its root, which may have to be told, in ascending order: children's ids come
 * after their parents'. What follows must look for the tree again, with a snapshot that sees who was born meanwhile.
 */
export const LOCK_TREE = `
with recursive ${tree("true")},
parent as (select tenant, parent_id as id from pawl.runs where tenant = $1 and id = $2 and parent_key is not null)
select r.id, r.id = $2 as root, r.status, r.phase, r.paused_at is not null as paused
from (select * from tree union select * from parent) t join pawl.runs r on r.tenant = t.tenant and r.id = t.id
order by r.tenant, r.id
for update of r`;
