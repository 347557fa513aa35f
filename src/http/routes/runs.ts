import { Hono } from "hono";
import { EntryNotFound, RunNotFound, StateNotFound } from "../../engine/refusals.ts";
import { isFinal } from "../../engine/run.ts";
import { awaitResult } from "../../runtime/await-result.ts";
import { cancelRun, pauseRun, resumeRun } from "../../runtime/move-runs.ts";
import { resolveStep } from "../../runtime/resolve-step.ts";
import { sendSignals, toNewSignal } from "../../runtime/send-signals.ts";
import { jsonBody, noBody, optionalBody } from "../body.ts";
import type { HttpEnv } from "../context.ts";
import { pageOf } from "../cursor.ts";
import { exportQuery, exportRuns } from "../export.ts";
import { findRun, refOf } from "../find-run.ts";
import { noteWhatWasDone } from "../note.ts";
import {
  iso,
  presentDetail,
  presentLine,
  presentResult,
  presentState,
  presentTimelineEntry,
  presentUnderWay,
} from "../present.ts";
import { filterQuery, journalQuery, listQuery, pageQuery, resultQuery, timelineQuery } from "../query.ts";
import { presentRows } from "../rows.ts";
import { runPage } from "../run-page.ts";
import { CancelBody, ResolveBody, SignalBody } from "../start-body.ts";
import { forks } from "./forks.ts";

/** Reading runs, and what a person can do to one. */
export const runs = new Hono<HttpEnv>()
  .get("/", listQuery, async (c) => c.json(await runPage(c, c.var.runtime.reads.runs, c.req.valid("query"))))
  .get("/counts", filterQuery, async (c) => {
    const { runtime, principal } = c.var;
    return c.json({ counts: await runtime.overview.countRuns(principal.tenant, c.req.valid("query")) });
  })
  .get("/export", exportQuery("runs"), (c) => {
    const { filter, format } = c.req.valid("query");
    return exportRuns(c, c.var.runtime.reads.runs, filter, format);
  })
  .get("/:id", async (c) => {
    const ref = refOf(c);
    const { reads, overview } = c.var.runtime;
    const [run, underWay, live] = await Promise.all([findRun(c), reads.underWay(ref), overview.live(ref)]);
    return c.json({ ...presentDetail(run), ...presentUnderWay(underWay, live) });
  })
  .get("/:id/journal", journalQuery, async (c) => {
    const { limit, after } = c.req.valid("query");
    const ref = refOf(c);
    const lines = await c.var.runtime.reads.journal(ref, limit + 1, after);
    if (lines === null) throw new RunNotFound(ref.runId);
    const { shown, nextCursor } = pageOf(lines, limit, (line) => line.seq);
    return c.json({ entries: shown.map(presentLine), nextCursor });
  })
  .get("/:id/journal/:seq", async (c) => {
    const ref = refOf(c);
    const seq = seqOf(c.req.param("seq"));
    const lines = seq === null ? [] : await c.var.runtime.reads.journal(ref, 1, seq - 1);
    if (lines === null) throw new RunNotFound(ref.runId);
    const [line] = lines;
    if (line === undefined || line.seq !== seq) throw new EntryNotFound(ref.runId, c.req.param("seq"));
    return c.json(presentLine(line));
  })
  .get("/:id/timeline", timelineQuery, async (c) => {
    const { limit, after } = c.req.valid("query");
    const ref = refOf(c);
    const entries = await c.var.runtime.overview.timeline(ref, limit + 1, after);
    if (entries === null) throw new RunNotFound(ref.runId);
    const { shown, nextCursor } = pageOf(entries, limit, (entry) => entry.seq);
    return c.json({ entries: shown.map(presentTimelineEntry), nextCursor });
  })
  .get("/:id/result", resultQuery, async (c) => {
    const run = await awaitResult(c.var.runtime, refOf(c), c.req.valid("query").wait);
    if (isFinal(run.status)) return c.json(presentResult(run), 200);
    return c.json(presentResult(run), 202, { "Retry-After": "1" });
  })
  .get("/:id/children", pageQuery, async (c) => {
    const { limit, before } = c.req.valid("query");
    const { tenant, runId } = refOf(c);
    const { reads } = c.var.runtime;
    const [rows] = await Promise.all([reads.runs(tenant, { parent: runId }, limit + 1, before), findRun(c)]);
    const { shown, nextCursor } = pageOf(rows, limit, (run) => run.runId);
    return c.json({ runs: await presentRows(c, shown), nextCursor });
  })
  .get("/:id/state", async (c) => {
    const ref = refOf(c);
    const lines = await c.var.runtime.reads.state(ref, null);
    if (lines === null) throw new RunNotFound(ref.runId);
    return c.json(presentState(lines));
  })
  .get("/:id/state/:key", async (c) => {
    const ref = refOf(c);
    const key = c.req.param("key");
    const lines = isStorable(key) ? await c.var.runtime.reads.state(ref, key) : [];
    if (lines === null) throw new RunNotFound(ref.runId);
    const [line] = lines;
    if (line === undefined) throw new StateNotFound(ref.runId, key);
    return c.json({ key, value: line.value, updatedAt: iso(line.updatedAt) });
  })
  .post("/:id/cancel", optionalBody(CancelBody), async (c) => {
    await cancelRun(c.var.runtime, refOf(c), c.req.valid("json").compensate ?? false);
    await noteWhatWasDone(c, "cancel");
    return c.json(presentDetail(await findRun(c)));
  })
  .post("/:id/pause", noBody, async (c) => {
    await pauseRun(c.var.runtime, refOf(c));
    await noteWhatWasDone(c, "pause");
    return c.json(presentDetail(await findRun(c)));
  })
  .post("/:id/resume", noBody, async (c) => {
    await resumeRun(c.var.runtime, refOf(c));
    await noteWhatWasDone(c, "resume");
    return c.json(presentDetail(await findRun(c)));
  })
  .post("/:id/signals/:name", optionalBody(SignalBody), async (c) => {
    const { tenant, runId } = refOf(c);
    const name = c.req.param("name");
    await sendSignals(c.var.runtime, tenant, [toNewSignal(runId, { name, ...c.req.valid("json") })]);
    return c.json({ id: runId, signal: name, accepted: true } as const, 202);
  })
  .post("/:id/steps/:key/resolve", jsonBody(ResolveBody), async (c) => {
    const ref = refOf(c);
    const key = c.req.param("key");
    await resolveStep(c.var.runtime, ref, key, c.req.valid("json"));
    await noteWhatWasDone(c, "resolve");
    return c.json({ id: ref.runId, step: key, accepted: true } as const, 202);
  })
  .route("/", forks);

/** The number of an entry as it stands in the path; null for what can be none. */
function seqOf(text: string): number | null {
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : null;
}

/** Nothing else can be a key in Postgres. */
function isStorable(text: string): boolean {
  return !text.includes("\u0000") && text.isWellFormed();
}
