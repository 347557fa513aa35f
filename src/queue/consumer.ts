/**
 * The queue's consumer: hands a batch of wake-ups to the dispatcher and settles each message on its own.
 *
 * A message is settled once its run is claimed or found not due: from then on the lease protects the run,
 * and the sweep finds it if this invocation dies. Only a claim that failed makes messages come again.
 */
import type { SweepPart } from "../engine/ports.ts";
import { dispatchTurns, type Loopback, type TurnRef } from "../runtime/dispatch-turns.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { readMessage } from "./message.ts";

export interface ConsumerDeps {
  readonly runtime: Runtime;
  readonly loopback: Loopback;
  readonly waitMs: number;
  /** Told how long after a wake-up was to come it came, in milliseconds. */
  readonly late: (ms: number) => void;
  /** Keeps the invocation alive for what goes on after the handler has returned. */
  readonly waitUntil: (work: Promise<unknown>) => void;
  readonly sweep: (only?: SweepPart) => Promise<unknown>;
  /** Does the cron's work where the cron has stopped. Never rejects. */
  readonly sweepIfLate: () => Promise<void>;
}

/** Seconds until a message comes again whose claim failed. */
const RETRY_SECONDS = 5;

export async function consumeWakeUps(deps: ConsumerDeps, batch: MessageBatch<unknown>): Promise<void> {
  const now: { message: Message<unknown>; ref: TurnRef }[] = [];
  const held = new Map<number, TurnRef[]>();
  const sweeps = new Set<SweepPart | undefined>();
  for (const message of batch.messages) {
    const wakeUp = readMessage(message.body);
    if (wakeUp?.kind === "run") {
      const { ref, delayMs } = wakeUp;
      const holdMs = delayMs % 1_000;
      // One that comes again was late on purpose.
      if (message.attempts === 1)
        deps.late(deps.runtime.clock.now() - message.timestamp.getTime() - delayMs + holdMs);
      if (holdMs === 0) {
        now.push({ message, ref });
        continue;
      }
      held.set(holdMs, [...(held.get(holdMs) ?? []), ref]);
    } else if (wakeUp === null) {
      deps.runtime.report("reading a wake-up", new TypeError("The message is not a wake-up."));
    } else sweeps.add(wakeUp.only);
    message.ack();
  }
  const work: Promise<unknown>[] = [...held].map(([ms, later]) => holdAndDispatch(deps, ms, later));
  // All of them see to each of the parts as well.
  if (sweeps.has(undefined)) work.push(deps.sweep());
  else for (const only of sweeps) work.push(deps.sweep(only));
  if (now.length > 0) work.push((await dispatchAndSettle(deps, now)).done);
  work.push(deps.sweepIfLate());
  await waitFor(deps, Promise.all(work));
}

/** Resolves once the runs are claimed and the messages settled; `done` is the turns' end. */
async function dispatchAndSettle(
  { runtime, loopback }: ConsumerDeps,
  messages: readonly { readonly message: Message<unknown>; readonly ref: TurnRef }[],
): Promise<{ done: Promise<void> }> {
  const { done, unclaimed } = await dispatchTurns(
    runtime,
    loopback,
    messages.map(({ ref }) => ref),
  );
  const isUnclaimed = (ref: TurnRef) =>
    unclaimed.some((u) => u.runId === ref.runId && u.branch === ref.branch && u.tenant === ref.tenant);
  for (const { message, ref } of messages) {
    if (isUnclaimed(ref)) message.retry({ delaySeconds: RETRY_SECONDS });
    else message.ack();
  }
  return { done };
}

/** A run due within a second is waited for here: the queue counts delays in whole seconds. */
async function holdAndDispatch(
  { runtime, loopback }: ConsumerDeps,
  ms: number,
  refs: readonly TurnRef[],
): Promise<void> {
  await runtime.clock.sleep(ms);
  await (await dispatchTurns(runtime, loopback, refs)).done;
}

/** A slow step holds nobody up: after `waitMs` the handler returns and the rest goes on behind it. */
async function waitFor({ runtime, waitMs, waitUntil }: ConsumerDeps, work: Promise<unknown>): Promise<void> {
  waitUntil(work);
  if (waitMs === 0) return;
  const over = new AbortController();
  await Promise.race([work.finally(() => over.abort()), runtime.clock.sleep(waitMs, over.signal)]);
}
