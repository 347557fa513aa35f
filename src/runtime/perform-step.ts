/**
 * Performs one attempt of one step, under a lease that renews itself.
 *
 * I2: when the lease is lost the step's signal aborts and nothing it returns is kept.
 * I10: no transaction is open and no row is locked while the body runs.
 */
import { type Encoded, encode } from "../engine/codec.ts";
import { durationMs } from "../engine/duration.ts";
import type { StepEdge } from "../engine/edge.ts";
import { DeadlineExceeded, type Failure, LeaseLost, StepTimedOut, toFailure } from "../engine/errors.ts";
import { nextRetryMs } from "../engine/retry.ts";
import type { ClaimedRun } from "../engine/run.ts";
import type { StepContext } from "../engine/workflow.ts";
import type { Runtime } from "./runtime.ts";

/** What a step body gave. `retryInMs` is null when the failure is final. */
export type Outcome =
  | { readonly outcome: "completed"; readonly output: Encoded | null; readonly tookMs: number }
  | {
      readonly outcome: "failed";
      readonly failure: Failure;
      readonly retryInMs: number | null;
      readonly tookMs: number;
    };

export type StepRuntime = Pick<Runtime, "store" | "clock" | "settings" | "report">;

/** Throws `LeaseLost` or `DeadlineExceeded`; everything that the body throws becomes an outcome. */
export async function performStep(runtime: StepRuntime, run: ClaimedRun, edge: StepEdge): Promise<Outcome> {
  const { clock } = runtime;
  const ended = new AbortController();
  const stop = new AbortController();
  const startedAt = clock.now();
  const took = () => Math.max(0, clock.now() - startedAt);
  const abort = (reason: unknown) => stop.abort(reason);
  const aborted = new Promise<never>((_, reject) => {
    stop.signal.addEventListener("abort", () => reject(stop.signal.reason));
  });
  aborted.catch(() => {});

  const context: StepContext = {
    idempotencyKey: `${run.runId}:${encodeURIComponent(edge.key)}`,
    attempt: edge.attempt,
    signal: stop.signal,
    heartbeat: async () => {
      await renew(runtime, run, abort);
      stop.signal.throwIfAborted();
    },
  };

  keepLease(runtime, run, ended.signal, abort);
  const { timeout } = edge.options;
  if (timeout !== undefined) {
    const timeoutMs = durationMs(timeout);
    after(runtime, timeoutMs, ended.signal, () => abort(new StepTimedOut(edge.key, timeoutMs)));
  }
  const { deadlineAt } = run;
  if (deadlineAt !== null) {
    after(runtime, deadlineAt - run.now, ended.signal, () => abort(new DeadlineExceeded(deadlineAt)));
  }

  try {
    const output = await Promise.race([(async () => edge.body(context))(), aborted]);
    const encoded = output === undefined ? null : encode(output, `The output of step "${edge.key}"`);
    return { outcome: "completed", output: encoded, tookMs: took() };
  } catch (thrown) {
    const reason: unknown = stop.signal.reason;
    if (reason instanceof LeaseLost || reason instanceof DeadlineExceeded) throw reason;
    const now = run.now + took();
    const retryInMs = nextRetryMs(
      edge.options.retry,
      edge.spent + 1,
      thrown,
      `${run.runId}/${edge.key}`,
      now,
    );
    return { outcome: "failed", failure: toFailure(thrown), retryInMs, tookMs: took() };
  } finally {
    ended.abort();
  }
}

/** Renews every third of a lease. */
async function keepLease(
  runtime: StepRuntime,
  run: ClaimedRun,
  ended: AbortSignal,
  abort: (reason: unknown) => void,
): Promise<void> {
  for (;;) {
    await runtime.clock.sleep(runtime.settings.leaseMs / 3, ended);
    if (ended.aborted) return;
    await renew(runtime, run, abort);
  }
}

/** An unreachable database is not a lost lease: the commit's fence decides. */
async function renew(
  { store, settings, report }: StepRuntime,
  { tenant, runId, turn }: ClaimedRun,
  abort: (reason: unknown) => void,
): Promise<void> {
  try {
    const renewed = await store.renewLease({ tenant, runId }, turn, settings.leaseMs);
    if (!renewed) abort(new LeaseLost(runId, turn));
  } catch (error) {
    report("renewing a lease", error);
  }
}

async function after({ clock }: StepRuntime, ms: number, ended: AbortSignal, act: () => void): Promise<void> {
  await clock.sleep(ms, ended);
  if (!ended.aborted) act();
}
