/**
 * Brings events from the outbox to the sinks, at least once and in the order of each run. It goes on in an invocation of
 * its own, and every tick: whoever commits an event only asks for it, so no sink can hold up a run.
 */
import type { ClaimedSend, SendOutcome } from "../engine/event.ts";
import type { EventSink } from "../engine/ports.ts";
import type { Runtime } from "./runtime.ts";

/** One share: so many events for each sink, begun within so much time. */
const EVENTS_PER_SHARE = 50;
const SHARE_MS = 20_000;
/** A worker has at most six connections open at once; a send that waited for one would use up its own time. */
const CONNECTIONS = 6;
/** Longer than any sink may take: after it the send counts as lost and comes again. */
const LEASE_MS = 60_000;

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 3_600_000;
const GROWTH = 2.5;
/** What is tried again sooner than this cannot wait for the tick. */
const BETWEEN_TICKS_MS = 60_000;

const ERROR_LIMIT = 1_000;
const CUT_OFF = "Every attempt was cut off before the sink had answered.";

/** After a commit with events. Lost, it costs time only: the next tick delivers them. Never rejects. */
export async function askForDelivery({ sinks, wakeUps, report }: Runtime): Promise<void> {
  if (sinks.length === 0) return;
  try {
    await wakeUps.sweepAgain("events");
  } catch (error) {
    report("asking for the delivery of events", error);
  }
}

/** A sweep: true means that there may be more. */
export async function deliverEvents(runtime: Runtime): Promise<boolean> {
  const { sinks, store, settings } = runtime;
  const routes = sinks.map(({ sink, types }) => ({ sink, types }));
  const routed = await store.routeEvents(routes, settings.sweepLimit);
  // Each on its own, so that one that is slow or fails holds up no other.
  const shares = await Promise.all(sinks.map((sink) => drain(runtime, sink)));
  const retries = shares.flatMap(({ retryInMs }) => (retryInMs === null ? [] : [retryInMs]));
  const soonest = Math.min(...retries);
  if (soonest < BETWEEN_TICKS_MS) await askForRetry(runtime, soonest);
  return routed >= settings.sweepLimit || shares.some(({ more }) => more);
}

/** What one sink is sent in this share, a few at once, until nothing is due. */
async function drain(
  runtime: Runtime,
  sink: EventSink,
): Promise<{ more: boolean; retryInMs: number | null }> {
  const { store, clock, sinks } = runtime;
  const atOnce = Math.max(1, Math.floor(CONNECTIONS / sinks.length));
  const startedAt = clock.now();
  let left = EVENTS_PER_SHARE;
  let retryInMs: number | null = null;
  try {
    while (left > 0 && clock.now() - startedAt < SHARE_MS) {
      const claimed = await store.claimSends(sink.sink, Math.min(left, atOnce), LEASE_MS);
      if (claimed.length === 0) return { more: false, retryInMs };
      const outcomes = await Promise.all(claimed.map((send) => trySend(runtime, sink, send)));
      await store.settleSends(outcomes);
      for (const outcome of outcomes) {
        if (outcome.retryInMs !== null)
          retryInMs = Math.min(outcome.retryInMs, retryInMs ?? outcome.retryInMs);
      }
      left -= claimed.length;
    }
  } catch (error) {
    runtime.report(`delivering events to sink "${sink.sink}"`, error);
    return { more: false, retryInMs };
  }
  return { more: true, retryInMs };
}

async function trySend(
  runtime: Runtime,
  sink: EventSink,
  { event, ...ref }: ClaimedSend,
): Promise<SendOutcome> {
  // Each of its attempts was cut off: one more would be too, and hold up what comes after it for ever.
  if (ref.attempt > sink.attempts) return { ...ref, status: "dead", retryInMs: null, error: CUT_OFF };
  try {
    await sink.send(event);
    return { ...ref, status: "sent", retryInMs: null, error: null };
  } catch (thrown) {
    const error = describe(thrown);
    if (ref.attempt >= sink.attempts) return { ...ref, status: "dead", retryInMs: null, error };
    return { ...ref, status: "pending", retryInMs: retryAfter(runtime, ref.attempt), error };
  }
}

/** Spread by chance, so that events that failed together do not come again together. */
function retryAfter({ random }: Runtime, attempt: number): number {
  const ms = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * GROWTH ** (attempt - 1));
  return Math.round(ms * (0.75 + random() / 4));
}

/** Text that Postgres can store. */
function describe(thrown: unknown): string {
  const text = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return text.replaceAll("\u0000", "\ufffd").slice(0, ERROR_LIMIT).toWellFormed();
}

async function askForRetry({ wakeUps, report }: Runtime, inMs: number): Promise<void> {
  try {
    await wakeUps.sweepAgain("events", Math.ceil(inMs / 1_000));
  } catch (error) {
    report("asking for another try of events", error);
  }
}
