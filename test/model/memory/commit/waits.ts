import { removeDelivery } from "../deliver.ts";
import { addWait, removeWait } from "../runs.ts";
import type { State, StoredRun } from "../tables.ts";
import { dueNow, instantOf } from "../values.ts";
import { type Held, NOBODY, type Part } from "./held.ts";

/** I5: taken in the commit that journals them. Of a signal its id stays, and of a message of its own too. */
export const consumeDeliveries: Part = {
  concerns: ({ consumed }) => consumed.length > 0,
  write(_, { run, decision }) {
    for (const { id, key } of decision.consumed) consume(run, id, key);
    return NOBODY;
  },
};

function consume(run: StoredRun, id: number, key: string | null): void {
  const arrived = run.inbox.get(id);
  if (arrived === undefined) return;
  const { delivery, messageId } = arrived;
  if (delivery.kind !== "signal") {
    removeDelivery(run, delivery);
    if (messageId !== null) takeMessage(run, messageId);
    return;
  }
  const emptied = { ...delivery, payload: null };
  if (key === null) run.inbox.set(id, { delivery: emptied, messageId });
  else {
    run.inbox.delete(id);
    run.taken.set(id, { delivery: emptied, consumedBy: key });
  }
}

function takeMessage({ brought }: StoredRun, messageId: number): void {
  const message = brought.get(messageId);
  if (message === undefined) return;
  message.claimedBy = "";
  message.payload = { json: null, meta: null };
  brought.delete(messageId);
}

export const endWaits: Part = {
  concerns: ({ endedWaits }) => endedWaits.length > 0,
  write(_, { run, tenant, decision }) {
    for (const key of decision.endedWaits) removeWait(tenant, run, key);
    return NOBODY;
  },
};

/** One whose fact is there already leaves the run ready: what is buffered must not be slept over. */
export const beginWaits: Part = {
  concerns: ({ waits }) => waits.length > 0,
  write(state, held) {
    const { run } = held;
    begin(state, held);
    if (run.row.status !== "waiting" || !isAnswered(held)) return NOBODY;
    run.row.status = "ready";
    run.row.wakeAt = state.now;
    run.row.wakeUpSentAt = state.now;
    return [dueNow(run)];
  },
};

function begin({ now }: State, { run, tenant, decision }: Held): void {
  for (const { key, kind, name, due } of decision.waits) {
    const dueAt = due === null ? null : instantOf(due, now);
    addWait(tenant, run, { wait: { key, kind, begunAt: now, dueAt }, name });
  }
}

function isAnswered({ run, decision }: Held): boolean {
  if (run.inbox.size === 0) return false;
  const arrived = new Set<string>();
  for (const { delivery } of run.inbox.values()) arrived.add(`${delivery.kind} ${delivery.name}`);
  return decision.waits.some(({ key, kind, name }) =>
    arrived.has(`${kind} ${kind === "signal" || kind === "mutation" ? name : key}`),
  );
}
