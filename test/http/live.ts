/** The app over the real store, with turns taken in this very process: what these tests ask is what callers can rely on. */
import { ulid } from "ulid";
import type { ClaimedRun, RunRef } from "../../src/engine/run.ts";
import type { AnyWorkflow } from "../../src/engine/workflow.ts";
import { digestToken } from "../../src/http/auth.ts";
import { performBranch } from "../../src/runtime/perform-branch.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { takeTurn } from "../../src/runtime/take-turn.ts";
import { runtimeOf } from "../runtime/support.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { serve, TOKEN } from "./support.ts";

const LEASE_MS = 600_000;

export interface Answer<T = never> {
  readonly status: number;
  readonly body: T;
}

export interface LiveApp {
  readonly database: TestDatabase;
  readonly runtime: Runtime;
  get(path: string): Promise<Answer>;
  post(path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Starts a run over HTTP; gives its id. */
  start(workflow: string, body?: object, key?: string): Promise<string>;
  /** Takes turns and performs branches of these runs while anything of them is due. */
  drive(...ids: readonly string[]): Promise<void>;
  /** Takes one turn of a run that is due. */
  turn(id: string): Promise<void>;
  /** Performs the branches of a run that are due. */
  branches(id: string): Promise<void>;
  stop(): Promise<void>;
}

export async function createLiveApp(workflows: readonly AnyWorkflow[]): Promise<LiveApp> {
  const database = await createDatabase();
  const { store, reads, overview, history, bulks, timings } = database;
  const runtime: Runtime = {
    ...runtimeOf({ workflows }),
    store,
    reads,
    overview,
    history,
    bulks,
    timings,
    wakeUps: { send: async () => {}, sendAgain: async () => {}, sweepAgain: async () => {} },
    newRunId: () => ulid(),
  };
  const { call, post } = serve({
    unready: null,
    runtime,
    tokens: { admin: await digestToken(TOKEN), read: null },
  });
  const read = async (response: Response): Promise<Answer> => ({
    status: response.status,
    body: (await response.json()) as never,
  });
  const refOf = (runId: string): RunRef => ({ tenant: "default", runId });
  const leaseUntil = Number.POSITIVE_INFINITY;

  const turn = async (run: ClaimedRun) => {
    const decision = await takeTurn(runtime, { run, leaseUntil });
    // Every run is claimed with all of its journal here, so no turn finds that its beginning is missing.
    if (decision === "cold") throw new Error("the journal was claimed without its beginning");
    if (decision !== null) await store.commitTurns([decision]);
  };

  const performBranches = async (ids: readonly string[]): Promise<number> => {
    const rows = await database.rows<{ run_id: string; key: string }>(
      "select run_id, key from pawl.branches where run_id = any($1)",
      [ids],
    );
    const refs = rows.map(({ run_id, key }) => ({ ...refOf(run_id), key }));
    const branches = refs.length === 0 ? [] : (await store.claimBranches(refs, LEASE_MS)).claimed;
    for (const branch of branches) {
      const outcome = await performBranch(runtime, { branch, leaseUntil });
      if (outcome !== null) await store.commitBranches([outcome]);
    }
    return branches.length;
  };

  const driveOnce = async (ids: readonly string[]): Promise<boolean> => {
    const { claimed } = await store.claimRuns(ids.map(refOf), LEASE_MS);
    for (const run of claimed) {
      await turn(run);
    }
    const performed = await performBranches(ids);
    return claimed.length + performed > 0;
  };

  const app: LiveApp = {
    database,
    runtime,
    get: async (path) => read(await call(path)),
    post: async (path, body = {}, headers = {}) => read(await post(path, body, headers)),
    async start(workflow, body = {}, key) {
      const headers: Record<string, string> = key === undefined ? {} : { "idempotency-key": key };
      const { status, body: started } = await app.post(`/api/workflows/${workflow}/runs`, body, headers);
      if (status !== 201) throw new Error(JSON.stringify(started));
      return (started as { id: string }).id;
    },
    async drive(...ids) {
      while (await driveOnce(ids));
    },
    async turn(id) {
      for (const run of (await store.claimRuns([refOf(id)], LEASE_MS)).claimed) await turn(run);
    },
    async branches(id) {
      await performBranches([id]);
    },
    stop: () => database.drop(),
  };
  return app;
}
