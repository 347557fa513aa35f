/** Where a run stands, in a few words: what its list shows so that nobody has to open it. */
import type { Failure, RunRow } from "../api/types.ts";

export interface StepCell {
  readonly step: string | null;
  readonly detail: string | null;
  /** An instant that belongs to it: the end of a sleep, the next attempt. */
  readonly at: string | null;
  readonly bad: boolean;
}

export function stepCellOf(run: RunRow): StepCell {
  const { last, waitsFor } = run;
  if (run.failure !== null) return failedCell(run, run.failure);
  if (run.status === "waiting" && waitsFor !== null) return waitingCell(waitsFor);
  if (last === null) return { step: null, detail: null, at: null, bad: false };
  if (last.outcome === "retrying") {
    const detail = `attempt ${last.attempt} failed${last.failure ? `: ${last.failure.message}` : ""}`;
    return { step: last.key, detail, at: null, bad: true };
  }
  const detail = run.status === "running" || run.status === "ready" ? "done, going on" : null;
  return { step: last.key, detail, at: null, bad: false };
}

function failedCell({ last }: RunRow, failure: Failure): StepCell {
  // Lists leave causes out; the last entry of the journal has the failure itself.
  const root = last?.failure ?? rootOf(failure);
  return {
    step: failure.step ?? last?.key ?? null,
    detail: `${root.name}: ${root.message}`,
    at: null,
    bad: true,
  };
}

const WAITS: Readonly<Record<string, string>> = {
  sleep: "wakes",
  retry: "tried again",
  branch: "under way",
  signal: "waits for signal",
  message: "waits for a message on",
  child: "waits for child",
  person: "waits for a person's word",
  mutation: "waits at gate",
};

function waitingCell(wait: NonNullable<RunRow["waitsFor"]>): StepCell {
  const named = wait.kind === "signal" || wait.kind === "message" || wait.kind === "mutation";
  const words = [WAITS[wait.kind] ?? wait.kind, named && wait.name !== null ? wait.name : null];
  const others = wait.others > 0 ? ` and ${wait.others} more` : "";
  const timed = wait.kind === "sleep" || wait.kind === "retry";
  return {
    step: wait.key,
    detail: words.filter(Boolean).join(" ") + others,
    at: timed ? wait.until : null,
    bad: wait.kind === "person",
  };
}

/** What a step's failure was caused by, as deep as it is told. */
export function rootOf(failure: Failure): Failure {
  return failure.cause === undefined ? failure : rootOf(failure.cause);
}
