/** I4: how facts arrive. Whoever inserts a delivery also counts it, and makes a run that is parked due. */
import type { Encoded } from "../../../src/engine/codec.ts";
import type { Delivery } from "../../../src/engine/delivery.ts";
import type { State, StoredRun } from "./tables.ts";

export type NewDelivery = Pick<Delivery, "kind" | "name" | "outcome"> & Partial<Delivery>;

/** False when the sender has sent it before. The run is not told yet: see `bump`. */
export function insertDelivery(
  state: State,
  run: StoredRun,
  fields: NewDelivery,
  messageId: number | null = null,
): boolean {
  const { kind, name, sender = null } = fields;
  if (sender !== null) {
    const known = nameOfDelivery(kind, name, sender);
    if (run.senders.has(known)) return false;
    run.senders.add(known);
  }
  state.tables.lastDeliveryId += 1;
  const delivery: Delivery = {
    id: state.tables.lastDeliveryId,
    kind,
    name,
    outcome: fields.outcome,
    sender,
    payload: fields.payload ?? null,
    failure: fields.failure ?? null,
    attempt: fields.attempt ?? 1,
    attempts: fields.attempts ?? [],
    tookMs: fields.tookMs ?? 0,
    arrivedAt: state.now,
    withheld: false,
  };
  run.inbox.set(delivery.id, { delivery, messageId });
  return true;
}

/** Takes the delivery out of the inbox, and with it what its sender called it. */
export function removeDelivery(run: StoredRun, { id, kind, name, sender }: Delivery): void {
  run.inbox.delete(id);
  if (sender !== null) run.senders.delete(nameOfDelivery(kind, name, sender));
}

/** What `deliveries_once` compares. */
export function nameOfDelivery(kind: string, name: string, sender: string): string {
  return JSON.stringify([kind, name, sender]);
}

/** How many facts have arrived for each run. */
export type Arrivals = Map<StoredRun, number>;

export function arrive(arrivals: Arrivals, run: StoredRun): void {
  arrivals.set(run, (arrivals.get(run) ?? 0) + 1);
}

/** Counts what has arrived; gives the runs that are due because of it. */
export function bump({ now }: State, arrivals: Arrivals): StoredRun[] {
  const due: StoredRun[] = [];
  for (const [run, count] of arrivals) {
    const { row } = run;
    row.deliveries += count;
    if (row.status !== "waiting" || (row.wakeAt !== null && row.wakeAt <= now)) continue;
    row.wakeAt = now;
    row.wakeUpSentAt = now;
    due.push(run);
  }
  return due;
}

/** Delivers one fact; gives whether it is new, and whether the run is due because of it. */
export function deliverOne(
  state: State,
  run: StoredRun,
  fields: NewDelivery,
): { isNew: boolean; isDue: boolean } {
  if (!insertDelivery(state, run, fields)) return { isNew: false, isDue: false };
  return { isNew: true, isDue: bump(state, new Map([[run, 1]])).length > 0 };
}

export function signalOf(name: string, payload: Encoded, sender: string | null): NewDelivery {
  return { kind: "signal", name, outcome: "completed", payload, sender };
}
