/**
 * Performs one attempt of one step, under a lease that renews itself.
 *
 * I2: when the lease is lost the step's signal aborts and nothing it returns is kept.
 * I10: no transaction is open and no row is locked while the body runs.
 */
import { type Encoded, encode } from "../engine/codec.ts";
import { durationMs } from "../engine/duration.ts";
import type { StepEdge } from "../engine/edge.ts";
import { DeadlineExceeded, HeartbeatMissed, LeaseLost, StepTimedOut } from "../engine/errors.ts";
import { type Failure, toFailure } from "../engine/failure.ts";
import { nextRetryMs } from "../engine/retry.ts";
import type { ClaimedRun } from "../engine/run.ts";
import type { StepContext } from "../engine/workflow.ts";
import { keepLease, type Lease, renewNow } from "./lease.ts";
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

/** Does the work of a step; what it gives is the output. */
export type Perform = (context: StepContext) => unknown;

/** Throws `LeaseLost` or `DeadlineExceeded`; everything that the body throws becomes an outcome. */
export async function performStep(
  runtime: Runtime,
  run: ClaimedRun,
  edge: StepEdge,
  lease: Lease,
  perform: Perform,
): Promise<Outcome> {
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
  const pulse = new Pulse();

  const context: StepContext = {
    idempotencyKey: `${run.runId}:${encodeURIComponent(edge.key)}`,
    attempt: edge.attempt,
    signal: stop.signal,
    heartbeat: async () => {
      pulse.beat();
      await renewNow(runtime, lease, abort);
      stop.signal.throwIfAborted();
    },
  };

  keepLease(runtime, lease, ended.signal, abort);
  const { timeout, heartbeat } = edge.options;
  if (timeout !== undefined) {
    const timeoutMs = durationMs(timeout);
    after(runtime, timeoutMs, ended.signal, () => abort(new StepTimedOut(edge.key, timeoutMs)));
  }
  if (heartbeat !== undefined) {
    const heartbeatMs = durationMs(heartbeat);
    pulse.watch(runtime, heartbeatMs, ended.signal, () => abort(new HeartbeatMissed(edge.key, heartbeatMs)));
  }
  const { deadlineAt } = run;
  if (deadlineAt !== null) {
    after(runtime, deadlineAt - run.now, ended.signal, () => abort(new DeadlineExceeded(deadlineAt)));
  }

  try {
    const output = await Promise.race([(async () => perform(context))(), aborted]);
    const encoded = output === undefined ? null : encode(output, `The output of step "${edge.key}"`);
    return { outcome: "completed", output: encoded, tookMs: took() };
  } catch (thrown) {
    // A transaction learns it from its commit, before any renewal does.
    const reason: unknown = thrown instanceof LeaseLost ? thrown : stop.signal.reason;
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

/** Tells when a body has gone without a heartbeat for too long. */
class Pulse {
  private beats = 0;

  beat(): void {
    this.beats += 1;
  }

  async watch(runtime: Runtime, ms: number, ended: AbortSignal, act: () => void): Promise<void> {
    for (let before = -1; before !== this.beats; ) {
      before = this.beats;
      await runtime.clock.sleep(ms, ended);
      if (ended.aborted) return;
    }
    act();
  }
}

async function after({ clock }: Runtime, ms: number, ended: AbortSignal, act: () => void): Promise<void> {
  await clock.sleep(ms, ended);
  if (!ended.aborted) act();
}
