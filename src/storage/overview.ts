import type { Overview } from "../engine/overview.ts";
import { bounded } from "./bounded.ts";
import type { Db } from "./db.ts";
import { countRuns } from "./overview/count-runs.ts";
import { groupDeadLetters } from "./overview/dead-letter-groups.ts";
import { readLive } from "./overview/live.ts";
import { findMatching } from "./overview/matching.ts";
import { readStandings } from "./overview/standings.ts";
import { readTimeline } from "./overview/timeline.ts";

/** No person waits for longer, and no request to the database either. */
const TIMEOUT_MS = 5_000;

/** The table of contents of `overview/`: one question, one file. */
export function createOverview(unbounded: Db): Overview {
  const db = bounded(unbounded, TIMEOUT_MS);
  return {
    countRuns: (tenant, filter) => countRuns(db, tenant, filter),
    standings: (tenant, runIds) => readStandings(db, tenant, runIds),
    timeline: (ref, limit, after) => readTimeline(db, ref, limit, after),
    matching: (tenant, kind, filter) => findMatching(db, tenant, kind, filter),
    deadLetterGroups: (tenant, filter) => groupDeadLetters(db, tenant, filter),
    live: (ref) => readLive(db, ref),
  };
}
