/**
 * When a tick may do without the database. Nothing is compared but times of the cron with each other, spans of the database's
 * clock, and marks with marks: no two clocks have to agree.
 *
 * Once no tick has anything left to do and nobody holds a lease, only two things make work: time, and requests from outside.
 * The time is known. A request marks the agenda before it is answered, and the mark stands for what its isolate changes
 * within the next minute. So a mark that the cron has read for longer than that, and the state of the tables after it, say
 * together that nothing else is to come.
 */
import type { Agenda, Idle, Noted } from "../engine/ports.ts";
import { MARK_MS } from "../runtime/marks.ts";
import type { Runtime } from "../runtime/runtime.ts";

/** A mark stands for a minute, and what was begun under it is committed within another two, or marks again. */
const SETTLED_MS = 3 * MARK_MS;
/** Less is not worth saying: the next tick comes by then. */
const LEAST_MS = 60_000;

/** Null where nothing is known: there is no agenda, or it does not answer. */
export async function readAgenda({ agenda, report }: Runtime): Promise<Noted | null> {
  if (agenda === null) return null;
  try {
    return await agenda.read();
  } catch (error) {
    report("reading the agenda", error);
    return null;
  }
}

/** Whether a tick at that time has nothing to do. What is missing is no reason to believe so. */
export function isIdle({ mark, idle }: Noted, at: number): boolean {
  return mark !== null && mark === idle?.mark && idle.from <= at && at < idle.until;
}

/**
 * After sweeps that found nothing to do: lets the ticks that follow be idle until shortly before something is due, as
 * early as wake-ups of long sleepers are sent. `noted` was read before the sweeps, and its mark for `markAgeMs` before that.
 */
export async function becomeIdle(
  runtime: Runtime,
  agenda: Agenda,
  noted: Noted,
  markAgeMs: number,
  at: number,
): Promise<void> {
  const { mark } = noted;
  // The cron lays the first one itself.
  if (mark === null) return agenda.mark(runtime.uuid());
  if (markAgeMs < SETTLED_MS) return;
  const { store, sinks, settings } = runtime;
  const names = sinks.map(({ sink }) => sink);
  const dueInMs = (await store.nextDue(names, settings)) ?? Number.POSITIVE_INFINITY;
  const idleMs = Math.min(settings.safetySweepMs, dueInMs - settings.sweepHorizonMs);
  if (idleMs <= LEAST_MS) return;
  await store.recordIdle(idleMs);
  await agenda.idle({ mark, from: at, until: at + idleMs } satisfies Idle);
}
