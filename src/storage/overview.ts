import type { Overview } from "../engine/overview.ts";
import { bounded } from "./bounded.ts";
import type { Db } from "./db.ts";
import { countRuns } from "./overview/count-runs.ts";
import { groupDeadLetters } from "./overview/dead-letter-groups.ts";
import { readLive } from "./overview/live.ts";
import { findMatching } from "./overview/matching.ts";
import { readMetrics } from "./overview/metrics.ts";
import { readStandings } from "./overview/standings.ts";
import { findStuckRuns, readSystem } from "./overview/system.ts";
import { readTimeline } from "./overview/timeline.ts";
import { countAwaited, listWaits } from "./overview/waits.ts";
import { readWorkflowStats } from "./overview/workflow-stats.ts";

/** No person waits for longer, and no request to the database either. */
const TIMEOUT_MS = 5_000;

/** The view looks at every live run: it may be given up. */
const STUCK_TIMEOUT_MS = 2_000;

/** The table of contents of `overview/`: one question, one file. */
export function createOverview(unbounded: Db): Overview {
  const db = bounded(unbounded, TIMEOUT_MS);
  return {
    countRuns: (tenant, filter) => countRuns(db, tenant, filter),
    standings: (tenant, runIds) => readStandings(db, tenant, runIds),
    timeline: (ref, limit, after) => readTimeline(db, ref, limit, after),
    matching: (tenant, kind, filter) => findMatching(db, tenant, kind, filter),
    deadLetterGroups: (tenant, filter) => groupDeadLetters(db, tenant, filter),
    workflowStats: (tenant, rangeMs) => readWorkflowStats(db, tenant, rangeMs),
    waits: (tenant, filter, limit, after) => listWaits(db, tenant, filter, limit, after),
    awaitedNames: (tenant) => countAwaited(db, tenant),
    system: (tenant) => readSystem(db, tenant),
    stuckRuns: (tenant, limit) => findStuckRuns(bounded(unbounded, STUCK_TIMEOUT_MS), tenant, limit),
    metrics: (tenant, rangeMs, bucketMs, workflow) => readMetrics(db, tenant, rangeMs, bucketMs, workflow),
    live: (ref) => readLive(db, ref),
  };
}
