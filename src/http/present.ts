/** How runs and journals look as JSON: instants as ISO 8601 in UTC, the id first. */
import type { Encoded, Json } from "../engine/codec.ts";
import type { Live, Standing, TimelineEntry } from "../engine/overview.ts";
import type { JournalLine, StateLine, UnderWay } from "../engine/reads.ts";
import type { Run, RunDetail } from "../engine/run.ts";

/** A run as lists show it. */
export function presentRun(run: Run) {
  return {
    id: run.runId,
    workflow: run.workflow,
    version: run.version,
    status: run.status,
    createdAt: iso(run.createdAt),
    startedAt: isoOrNull(run.startedAt),
    finishedAt: isoOrNull(run.finishedAt),
    wakeAt: isoOrNull(run.wakeAt),
    deadlineAt: isoOrNull(run.deadlineAt),
    discardedAt: isoOrNull(run.discardedAt),
    leaseExpiresAt: isoOrNull(run.leaseExpiresAt),
    currentStep: run.currentStep,
    stepsDone: run.stepsDone,
    turn: run.turn,
    lostTurns: run.lostTurns,
    tags: run.tags,
    idempotencyKey: run.idempotencyKey,
    failure: run.failure,
    phase: run.phase,
    failedCompensations: run.failedCompensations,
    pausedAt: isoOrNull(run.pausedAt),
    parentId: run.parent?.runId ?? null,
    continuedFrom: run.continuedFrom,
    continuedTo: run.continuedTo,
    forkedFrom: run.forkedFrom,
    deployment: run.deployment,
  };
}

/** A run of a list: with where it stands. */
export function presentRow(run: Run, standing: Standing | undefined) {
  const last = standing?.last ?? null;
  const waitsFor = standing?.waitsFor ?? null;
  return {
    ...presentRun(run),
    last:
      last === null ? null : { ...last, recordedAt: iso(last.recordedAt), retryAt: isoOrNull(last.retryAt) },
    waitsFor: waitsFor === null ? null : { ...waitsFor, until: isoOrNull(waitsFor.until) },
  };
}

/** An entry of a timeline. */
export function presentTimelineEntry(entry: TimelineEntry) {
  return {
    ...entry,
    queuedAt: isoOrNull(entry.queuedAt),
    startedAt: iso(entry.startedAt),
    recordedAt: iso(entry.recordedAt),
    retryAt: isoOrNull(entry.retryAt),
  };
}

/** A run with its payloads. `inputMeta` and `outputMeta` stand where JSON alone cannot say the value. */
export function presentDetail(run: RunDetail) {
  return {
    ...presentRun(run),
    input: run.input.json,
    ...metaOf("inputMeta", run.input),
    output: run.output?.json ?? null,
    ...metaOf("outputMeta", run.output),
  };
}

/** What a run waits for, what is under way in it, and since when. */
export function presentUnderWay({ waits, branches }: UnderWay, live: Live) {
  const begunOf = new Map(live.branches.map((branch) => [branch.key, branch]));
  return {
    turnBegunAt: isoOrNull(live.turnBegunAt),
    sleeps: live.sleeps.map(({ key, begunAt, dueAt }) => ({ key, begunAt: iso(begunAt), dueAt: iso(dueAt) })),
    waits: waits.map(({ key, kind, name, begunAt, dueAt }) => {
      return { key, kind, name, begunAt: iso(begunAt), dueAt: isoOrNull(dueAt) };
    }),
    branches: branches.map(({ key, attempt, leased, wakeAt, failures }) => ({
      key,
      attempt,
      leased,
      wakeAt: isoOrNull(wakeAt),
      // The two are asked for side by side: one may see a branch that is gone for the other.
      begunAt: isoOrNull(begunOf.get(key)?.begunAt ?? null),
      attemptBegunAt: isoOrNull(begunOf.get(key)?.turnBegunAt ?? null),
      failures: failures.map(({ attempt, failure, atMs }) => ({ attempt, failure, failedAt: iso(atMs) })),
    })),
  };
}

/** What a run shows of itself: its values by their keys, and when each was last written. */
export function presentState(lines: readonly StateLine[]) {
  return {
    state: Object.fromEntries(lines.map(({ key, value }) => [key, value])),
    updatedAt: Object.fromEntries(lines.map(({ key, updatedAt }) => [key, iso(updatedAt)])),
  };
}

/** What a run came to, as far as it has. */
export function presentResult(run: RunDetail) {
  return {
    id: run.runId,
    status: run.status,
    output: run.output?.json ?? null,
    ...metaOf("outputMeta", run.output),
    failure: run.failure,
    continuedTo: run.continuedTo,
  };
}

/** One line of a journal. Stack traces are shown: the reader owns the code. */
export function presentLine(line: JournalLine) {
  return {
    seq: line.seq,
    kind: line.kind,
    key: line.key,
    outcome: line.outcome,
    attempt: line.attempt,
    turn: line.turn,
    output: line.output?.json ?? null,
    ...metaOf("outputMeta", line.output),
    failure: line.failure,
    startedAt: iso(line.startedAt),
    recordedAt: iso(line.recordedAt),
    retryAt: isoOrNull(line.retryAt),
  };
}

/** Milliseconds since 1970 as people read them. */
export function iso(instant: number): string {
  return new Date(instant).toISOString();
}

/** The same for what may not have happened. */
export function isoOrNull(instant: number | null): string | null {
  return instant === null ? null : iso(instant);
}

function metaOf<Name extends string>(name: Name, encoded: Encoded | null): { [name in Name]?: Json } {
  return (encoded === null || encoded.meta === null ? {} : { [name]: encoded.meta }) as {
    [name in Name]?: Json;
  };
}
