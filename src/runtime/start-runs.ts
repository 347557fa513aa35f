/**
 * Starts runs.
 *
 * I9: when this resolves the runs are durable. Their wake-ups are hints: one that cannot be sent is
 * reported, and the sweep sends it again.
 */

import type { DueRun, NewSignal, StartedRun } from "../engine/ports.ts";
import { DuplicateIdempotencyKey } from "../engine/refusals.ts";
import type { NewRun } from "../engine/run.ts";
import { type StartRequest, toNewRun } from "./new-run.ts";
import type { Runtime } from "./runtime.ts";
import { type SignalRequest, toNewSignal } from "./send-signals.ts";

/** A start whose run is sent a signal with it, whether the start makes the run or its key has one already. */
export interface SignallingStart extends StartRequest {
  readonly signal?: SignalRequest | undefined;
}

/**
 * All or nothing. A request whose idempotency key has a run already gives that run, with `created` false.
 * Throws `WorkflowNotFound`, `InvalidInput`, `IdempotencyConflict`, `DuplicateIdempotencyKey`, and for a signal
 * `InvalidSignalName`, and `WrongStatus` when its run is over.
 */
export async function startRuns(
  runtime: Runtime,
  tenant: string,
  requests: readonly SignallingStart[],
): Promise<StartedRun[]> {
  refuseDuplicateKeys(requests);
  const runs: NewRun[] = [];
  const signals: NewSignal[] = [];
  for (const { signal, ...request } of requests) {
    const run = await toNewRun(runtime, request);
    runs.push(run);
    if (signal !== undefined) signals.push(toNewSignal(run.id, signal));
  }
  const started = await runtime.store.startRuns(tenant, runs, signals);
  const due = started.filter(({ created, woken }) => created || woken).map(toDueRun);
  await runtime.wakeUps
    .send(due)
    .catch((error: unknown) => runtime.report("sending wake-ups after a start", error));
  return started;
}

function toDueRun({ run, wakeInMs }: StartedRun): DueRun {
  return { tenant: run.tenant, runId: run.runId, wakeInMs };
}

function refuseDuplicateKeys(requests: readonly StartRequest[]): void {
  const seen = new Set<string>();
  for (const { workflow, idempotencyKey } of requests) {
    if (idempotencyKey === undefined) continue;
    const key = JSON.stringify([workflow, idempotencyKey]);
    if (seen.has(key)) throw new DuplicateIdempotencyKey(idempotencyKey, workflow);
    seen.add(key);
  }
}
