import { given, type Part, turnOf } from "./part.ts";

/**
 * I5: taken in the commit that journals them. Of a signal its id stays, and of a message of its own too, until the
 * clean-up: a publisher whose turn was lost publishes it again under that id.
 */
export const consumeDeliveries: Part = {
  rowsOf: (decision) => decision.consumed.map(({ id, key }) => ({ ...turnOf(decision), id, key })),
  text: `
with ${given('"id" bigint, "key" text')},
kept as (
  update pawl.deliveries d set consumed_by = g.key, payload = null, payload_meta = null from given g
  where d.tenant = g.tenant and d.run_id = g."runId" and d.id = g.id and d.kind = 'signal'
),
gone as (
  delete from pawl.deliveries d using given g
  where d.tenant = g.tenant and d.run_id = g."runId" and d.id = g.id and d.kind <> 'signal'
  returning d.tenant, d.run_id, d.message_id
)
update pawl.messages m set claimed_by = '', payload = 'null', payload_meta = null from gone
where gone.message_id is not null and m.tenant = gone.tenant and m.claimed_by = gone.run_id and m.id = gone.message_id`,
};
