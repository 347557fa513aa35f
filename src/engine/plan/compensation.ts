/**
 * The planner of a run whose verdict is known: undoes what was done, the last step that completed first, one
 * compensator at a time. One that fails for good is recorded and does not stop the others.
 */
import type { StepEdge } from "../edge.ts";
import type { Reading } from "../journal.ts";
import type { StepContext } from "../workflow.ts";
import type { Undoable } from "./replay.ts";

/** "#" keeps it apart from every key that a workflow can name. */
export function compensationKey(key: string): string {
  return `${key}#compensation`;
}

/** The compensator that comes next; null when everything is undone. `settled` are those of this very turn. */
export function nextCompensation(
  undoable: readonly Undoable[],
  reading: Reading,
  settled: ReadonlySet<string>,
): StepEdge | null {
  const next = undoable.findLast(({ key }) => {
    const its = compensationKey(key);
    return !reading.compensated.has(its) && !settled.has(its);
  });
  if (next === undefined) return null;
  const { compensate, output } = next;
  const key = compensationKey(next.key);
  const before = reading.attempts.get(key);
  return {
    kind: "step",
    entry: "compensation",
    key,
    work: { by: "body", body: (context: StepContext) => compensate({ ...context, output }) },
    options: {},
    askedAt: reading.lastSeq,
    attempt: (before?.last ?? 0) + 1,
    spent: before?.spent ?? 0,
    due: before?.retryAt == null ? null : { at: before.retryAt },
    unknown: false,
  };
}
