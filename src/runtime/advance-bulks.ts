/**
 * Takes the next share of every bulk action that is due. A share is as large as two seconds of its rate, and the next is
 * due when these are over; it commits how far it came. One that dies is taken again after the lease: what is done to a
 * run twice is harmless, since its status does not allow the second time, or its idempotency key knows the first.
 */
import type { BulkFailure, BulkShare, ClaimedBulk } from "../engine/bulk.ts";
import { PawlError, StoreUnavailable } from "../engine/errors.ts";
import { RunNotFound, WrongStatus } from "../engine/refusals.ts";
import type { RunRef } from "../engine/run.ts";
import { discardRun } from "./discard-run.ts";
import { forkRun } from "./fork-run.ts";
import { cancelRun, pauseRun, resumeRun } from "./move-runs.ts";
import { reviveRun } from "./revive-run.ts";
import type { Runtime } from "./runtime.ts";

/** Of all that are due, so many at once; the others are due still. */
const AT_ONCE = 5;
/** A share of a hundred runs takes seconds. */
const LEASE_MS = 60_000;
const SHARE_SECONDS = 2;
/** What one invocation may ask of the database is limited. */
const SHARE_LIMIT = 100;

type Outcome =
  | { readonly kind: "done"; readonly runId: string; readonly newRunId: string | null }
  | { readonly kind: "skipped" }
  | ({ readonly kind: "failed" } & BulkFailure);

/** True when there may be more that is due already. */
export async function advanceBulks(runtime: Runtime): Promise<boolean> {
  const claimed = await runtime.bulks.claim(AT_ONCE, LEASE_MS);
  const waits = (await Promise.all(claimed.map((bulk) => advanceOrReport(runtime, bulk)))).filter(
    (ms) => ms !== null,
  );
  if (waits.length > 0) await runtime.wakeUps.sweepAgain("bulk", Math.ceil(Math.min(...waits) / 1_000));
  return claimed.length === AT_ONCE;
}

/** One that cannot be taken stops no other: it is due again after the lease. */
async function advanceOrReport(runtime: Runtime, bulk: ClaimedBulk): Promise<number | null> {
  try {
    return await advance(runtime, bulk);
  } catch (error) {
    runtime.report(`taking a share of bulk action ${bulk.id}`, error);
    return null;
  }
}

/** Takes one share; gives when the next is due, null when there is none. */
async function advance(runtime: Runtime, bulk: ClaimedBulk): Promise<number | null> {
  const size = Math.min(bulk.rate * SHARE_SECONDS, SHARE_LIMIT);
  const runIds = await nextRuns(runtime, bulk, size);
  const outcomes: Outcome[] = [];
  for (const runId of runIds) outcomes.push(await move(runtime, bulk, { tenant: bulk.tenant, runId }));
  const nextInMs = runIds.length < size ? null : (size / bulk.rate) * 1_000;
  const advanced = await runtime.bulks.advance(bulk, toShare(bulk, runIds, outcomes, nextInMs));
  return advanced ? nextInMs : null;
}

/** From the newest to the oldest: what a rerun starts meanwhile is never among them. */
async function nextRuns(runtime: Runtime, bulk: ClaimedBulk, size: number): Promise<readonly string[]> {
  const { tenant, source, cursor } = bulk;
  if (source.kind === "ids") {
    return source.ids
      .toSorted()
      .reverse()
      .filter((id) => cursor === null || id < cursor)
      .slice(0, size);
  }
  const list = source.kind === "runs" ? runtime.reads.runs : runtime.reads.deadLetters;
  return (await list(tenant, source.filter, size, cursor)).map(({ runId }) => runId);
}

async function move(runtime: Runtime, bulk: ClaimedBulk, ref: RunRef): Promise<Outcome> {
  try {
    return { kind: "done", runId: ref.runId, newRunId: await perform(runtime, bulk, ref) };
  } catch (error) {
    if (error instanceof WrongStatus || error instanceof RunNotFound) return { kind: "skipped" };
    // The share is taken again when the database is back.
    if (error instanceof StoreUnavailable) throw error;
    if (!(error instanceof PawlError)) runtime.report(`bulk action ${bulk.id} at run ${ref.runId}`, error);
    const message = error instanceof PawlError ? error.message : "Something went wrong here.";
    return { kind: "failed", runId: ref.runId, message };
  }
}

/** Gives the run that was made, where one was. */
async function perform(runtime: Runtime, bulk: ClaimedBulk, ref: RunRef): Promise<string | null> {
  switch (bulk.verb) {
    case "cancel":
      await cancelRun(runtime, ref, bulk.compensate);
      return null;
    case "pause":
      await pauseRun(runtime, ref);
      return null;
    case "resume":
      await resumeRun(runtime, ref);
      return null;
    case "revive":
      await reviveRun(runtime, ref);
      return null;
    case "discard":
      await discardRun(runtime, ref);
      return null;
    case "rerun": {
      const idempotencyKey = `bulk ${bulk.id} ${ref.runId}`;
      return (await forkRun(runtime, ref, { idempotencyKey })).run.runId;
    }
  }
}

function toShare(
  bulk: ClaimedBulk,
  runIds: readonly string[],
  outcomes: readonly Outcome[],
  nextInMs: number | null,
): BulkShare {
  return {
    cursor: runIds.at(-1) ?? bulk.cursor,
    done: outcomes.flatMap((one) =>
      one.kind === "done" ? [{ runId: one.runId, newRunId: one.newRunId }] : [],
    ),
    skipped: outcomes.filter(({ kind }) => kind === "skipped").length,
    failures: outcomes.flatMap((one) =>
      one.kind === "failed" ? [{ runId: one.runId, message: one.message }] : [],
    ),
    nextInMs,
  };
}
