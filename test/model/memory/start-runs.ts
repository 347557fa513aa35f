import type { NewSignal, StartedRun } from "../../../src/engine/ports.ts";
import { IdempotencyConflict, WrongStatus } from "../../../src/engine/refusals.ts";
import type { NewRun } from "../../../src/engine/run.ts";
import { type Arrivals, arrive, bump, insertDelivery, signalOf } from "./deliver.ts";
import { insertRun, newRow, refuseKnownRun, runOfKey, storedRun } from "./runs.ts";
import { toRun } from "./shapes.ts";
import { type State, type StoredRun, type TenantTables, tenantOf } from "./tables.ts";
import { compareText, isOpen, isSameValue, spanUntil } from "./values.ts";

/** The run of each start, by the id that it asked for: a new one, or the one that its key has. */
type Found = Map<string, { readonly run: StoredRun; readonly isNew: boolean }>;

export function startRuns(
  state: State,
  tenantName: string,
  runs: readonly NewRun[],
  signals: readonly NewSignal[] = [],
): StartedRun[] {
  const tenant = tenantOf(state, tenantName);
  const found = findOrMake(state, tenant, runs);
  const sent = signals.flatMap((signal) => {
    const run = found.get(signal.runId)?.run;
    return run === undefined ? [] : [{ run, signal }];
  });
  for (const { run } of sent) refuseOver(run);
  for (const asked of runs) refuseOtherInput(asked, found);
  for (const { run, isNew } of found.values()) if (isNew) insertRun(tenant, run);
  const woken = deliver(state, sent);
  return runs.map(({ id }): StartedRun => {
    const { run, isNew } = at(found, id);
    const { wakeAt } = run.row;
    const wakeInMs = wakeAt === null ? 0 : spanUntil(wakeAt, state.now);
    const started = { run: toRun(run), created: isNew, wakeInMs };
    return woken.includes(run) ? { ...started, woken: true } : started;
  });
}

/** Of several starts with one key, the first in the order of the ids makes the run. Writes nothing. */
function findOrMake(state: State, tenant: TenantTables, runs: readonly NewRun[]): Found {
  const found: Found = new Map();
  const made: StoredRun[] = [];
  for (const asked of runs.length === 1 ? runs : runs.toSorted(byKey)) {
    const { id, workflow, idempotencyKey } = asked;
    const twin =
      idempotencyKey === null
        ? undefined
        : made.find(({ row }) => row.idempotencyKey === idempotencyKey && row.workflow === workflow);
    const known = runOfKey(tenant, asked) ?? twin;
    if (known !== undefined) {
      if (found.get(id)?.run !== known) found.set(id, { run: known, isNew: false });
      continue;
    }
    refuseKnownRun(tenant, id);
    const run = storedRun(newRow(tenant.name, asked, state.now));
    made.push(run);
    found.set(id, { run, isNew: true });
  }
  return found;
}

function deliver(state: State, sent: readonly { run: StoredRun; signal: NewSignal }[]): StoredRun[] {
  if (sent.length === 0) return [];
  const arrivals: Arrivals = new Map();
  for (const { run, signal } of sent) {
    if (insertDelivery(state, run, signalOf(signal.name, signal.payload, signal.id))) arrive(arrivals, run);
  }
  return bump(state, arrivals);
}

function refuseOver({ row }: StoredRun): void {
  if (!isOpen(row.status)) throw new WrongStatus(row.id, row.status, "signalled", "live and dead");
}

function refuseOtherInput({ id, input }: NewRun, found: Found): void {
  const { row } = at(found, id).run;
  if (isSameValue(row.input, input)) return;
  throw new IdempotencyConflict(row.idempotencyKey ?? "", row.id);
}

function at(found: Found, id: string) {
  const one = found.get(id);
  if (one === undefined) throw new Error(`no start of ${id}`);
  return one;
}

function byKey(a: NewRun, b: NewRun): number {
  return (
    compareText(a.workflow, b.workflow) ||
    compareText(a.idempotencyKey ?? "", b.idempotencyKey ?? "") ||
    compareText(a.id, b.id)
  );
}
