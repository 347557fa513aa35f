/**
 * What one claim and one commit take of Postgres, in milliseconds: a part that each has, and a part for each of its turns.
 * Taken are the fastest of many calls, less what an empty one takes on the same way, so that the figures hardly
 * depend on who else uses the machine.
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startGateway } from "../../scripts/gateway.ts";
import { migrate } from "../../scripts/migrate.ts";
import { startPostgres } from "../../scripts/postgres.ts";
import type { RunRef } from "../../src/engine/run.ts";
import { connect, type Db } from "../../src/storage/db.ts";
import { createStore } from "../../src/storage/store.ts";
import { decision, entry, newRun } from "../../test/storage/support/builders.ts";
import type { StatementCost } from "./parameters.ts";

export interface Measured {
  /** An empty question and its answer. */
  readonly roundTripMs: number;
  readonly claim: StatementCost;
  readonly commit: StatementCost;
}

const TENANT = "default";
const LEASE_MS = 600_000;
const [SMALL, LARGE] = [1, 30];
const RUNS = 600;
/** By the size of a call: few calls of many runs, and no more of one run than it takes. */
const SAMPLES = new Map([
  [SMALL, { runs: 100, turns: 5 }],
  [LARGE, { runs: RUNS, turns: 5 }],
]);

export async function measure(): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), "pawl-capacity-"));
  chmodSync(folder, 0o755);
  const postgres = await startPostgres({ dataDir: join(folder, "postgres") });
  const gateway = await startGateway();
  try {
    await migrate(postgres.url);
    return await measureOn(connect(postgres.url, gateway.host, 60_000));
  } finally {
    await gateway.stop();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureOn(db: Db): Promise<Measured> {
  const times = { claim: new Map<number, number>(), commit: new Map<number, number>() };
  // The first two are a warm-up: connections, plans, catalogues.
  for (const size of [SMALL, LARGE, SMALL, LARGE]) {
    await db.execute([{ text: "vacuum analyze pawl.runs, pawl.journal", params: [] }]);
    const { claims, commits } = await takeTurns(db, size);
    times.claim.set(size, fast(claims));
    times.commit.set(size, fast(commits));
  }
  const empty: number[] = [];
  for (let i = 0; i < 300; i++) await timed(empty, () => db.execute([{ text: "select 1", params: [] }]));
  const roundTripMs = fast(empty);
  return {
    roundTripMs,
    claim: costOf(times.claim, roundTripMs),
    commit: costOf(times.commit, roundTripMs),
  };
}

/** Runs take their turns, so many in one claim and one commit. */
async function takeTurns(db: Db, size: number): Promise<{ claims: number[]; commits: number[] }> {
  const store = createStore(db);
  const { runs = 0, turns = 0 } = SAMPLES.get(size) ?? {};
  const started = Array.from({ length: runs }, () => newRun());
  await store.startRuns(TENANT, started);
  const refs = started.map(({ id }): RunRef => ({ tenant: TENANT, runId: id }));
  const claims: number[] = [];
  const commits: number[] = [];
  for (let turn = 1; turn <= turns; turn++) {
    for (let i = 0; i < refs.length; i += size) {
      // What a warm run knows of its journal is not read again.
      const due = refs.slice(i, i + size).map((ref) => ({ ...ref, after: turn - 1 }));
      const { claimed } = await timed(claims, () => store.claimRuns(due, LEASE_MS));
      const decisions = claimed.map((run) => decision(run, { entries: [entry(turn)] }));
      await timed(commits, () => store.commitTurns(decisions));
    }
  }
  return { claims, commits };
}

async function timed<T>(times: number[], call: () => Promise<T>): Promise<T> {
  const begun = performance.now();
  const answer = await call();
  times.push(performance.now() - begun);
  return answer;
}

/** The fastest but for one in fifty. */
function fast(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 50)] ?? Number.NaN;
}

function costOf(times: ReadonlyMap<number, number>, roundTripMs: number): StatementCost {
  const [small = 0, large = 0] = [SMALL, LARGE].map((size) => (times.get(size) ?? 0) - roundTripMs);
  const perTurnMs = (large - small) / (LARGE - SMALL);
  return { perCallMs: small - perTurnMs * SMALL, perTurnMs };
}
