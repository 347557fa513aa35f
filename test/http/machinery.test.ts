/** What workflows come to, what runs wait for, and how the machinery is doing, on the real store. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { BOUNDS_MS } from "../../src/engine/timings.ts";
import { defineWorkflow } from "../../src/engine/workflow.ts";
import { createLiveApp, type LiveApp } from "./live.ts";
import { appWith, errorCodeOf } from "./support.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const quick = (version: number) =>
  defineWorkflow({ name: "quick", version }, async ({ step }) => {
    await step.run("work", () => 1);
    await step.run("work", () => 2);
  });
const failing = defineWorkflow({ name: "failing" }, async ({ step }) => {
  const fail = () => {
    throw new Error("no");
  };
  await step.run("call", fail, { retry: { maxAttempts: 2, delay: "1 second" } });
});
const waiting = defineWorkflow({ name: "waiting" }, async ({ step }) => {
  const hook = await step.hook("callback");
  await Promise.all([
    step.waitForSignal("paid", { timeout: "1 day" }),
    hook.received(),
    step.waitForSignal("paid"),
  ]);
});
const unused = defineWorkflow({ name: "unused" }, async () => null);

let app: LiveApp;
beforeAll(async () => {
  app = await createLiveApp([quick(1), quick(2), failing, waiting, unused]);
});
beforeEach(async () => {
  for (const table of ["runs", "journal", "waits", "hooks", "ticks", "timings"])
    await app.database.rows(`truncate pawl.${table}`);
});
afterEach(async () => {
  expect(await app.database.rows("select * from pawl.stuck_runs")).toEqual([]);
});
afterAll(() => app?.stop());

const get = async <T>(path: string) => (await app.get(path)).body as T;
const exact = (count: number) => ({ count, exact: true });

async function started(workflow: string, body: object = {}): Promise<string> {
  const id = await app.start(workflow, body);
  await app.drive(id);
  return id;
}
async function failed(): Promise<string> {
  const id = await started("failing");
  await app.database.moveClock(10 * SECOND);
  await app.drive(id);
  return id;
}

describe("what workflows came to", () => {
  interface Stats {
    readonly exact: boolean;
    readonly workflows: readonly { readonly name: string }[];
  }

  test("is told of each, by version, with those that nobody ran and those that are gone", async () => {
    await started("quick", { version: 1 });
    await started("quick");
    await started("quick");
    await started("waiting");
    await failed();
    await app.database.rows("update pawl.runs set workflow = 'gone' where workflow = 'failing'");
    const stats = await get<Stats>("/api/workflows/stats");
    expect(stats.exact).toBe(true);
    expect(stats.workflows).toMatchObject([
      { name: "failing", registered: [1], seen: [], started: 0, failureShare: null, p50Ms: null },
      { name: "gone", registered: [], started: 1, failed: 1, completed: 0, failureShare: 1 },
      {
        name: "quick",
        registered: [2, 1],
        seen: [
          { version: 2, runs: 2, lastAt: expect.any(String) },
          { version: 1, runs: 1, lastAt: expect.any(String) },
        ],
        ...{ started: 3, completed: 3, failed: 0, cancelled: 0, live: 0, failureShare: 0 },
        ...{ p50Ms: expect.any(Number), p95Ms: expect.any(Number) },
      },
      { name: "unused", registered: [1], started: 0 },
      { name: "waiting", started: 1, live: 1, failureShare: null, p95Ms: null },
    ]);
  });

  test("is told of the range that is asked for", async () => {
    await started("quick");
    await app.database.moveClock(2 * HOUR);
    const startedOf = async (range: string) => {
      const { workflows } = await get<{ workflows: { name: string; started: number }[] }>(
        `/api/workflows/stats?range=${range}`,
      );
      return workflows.find(({ name }) => name === "quick")?.started;
    };
    expect([await startedOf("1h"), await startedOf("24h"), await startedOf("7d")]).toEqual([0, 1, 1]);
    expect(errorCodeOf(await app.get("/api/workflows/stats?range=2h"))).toBe("invalid_request");
    expect(errorCodeOf(await app.get("/api/workflows/stats?workflow=quick"))).toBe("invalid_request");
  });
});

describe("waits", () => {
  interface Wait {
    readonly runId: string;
    readonly key: string;
    readonly kind: string;
    readonly name: string;
    readonly dueAt: string | null;
  }
  const waitsOf = async (query: string) => (await get<{ waits: Wait[] }>(`/api/waits${query}`)).waits;

  test("tell who waits for what, hooks told from signals", async () => {
    const id = await started("waiting");
    const found = await waitsOf("");
    expect(found.map(({ kind, name }) => `${kind} ${name}`).sort()).toEqual([
      "hook callback",
      "signal paid",
      "signal paid",
    ]);
    expect(found[0]).toMatchObject({
      runId: id,
      workflow: "waiting",
      status: "waiting",
      begunAt: expect.any(String),
    });
    expect(found.filter(({ dueAt }) => dueAt !== null)).toHaveLength(1);
  });

  test("are found by kind and name", async () => {
    await started("waiting");
    expect(await waitsOf("?kind=signal")).toHaveLength(2);
    expect(await waitsOf("?kind=hook&name=callback")).toHaveLength(1);
    expect(await waitsOf("?name=paid")).toHaveLength(2);
    for (const query of ["?kind=message", "?name=pai", "?kind=signal&name=callback"]) {
      expect([query, await waitsOf(query)]).toEqual([query, []]);
    }
  });

  test("of a run that is over are none, though a dead one keeps its waits", async () => {
    const id = await started("waiting");
    await app.database.rows("update pawl.runs set workflow = 'gone' where id = $1", [id]);
    await app.post(`/api/runs/${id}/signals/paid`, {});
    await app.drive(id);
    expect((await app.database.rows("select from pawl.waits")).length).toBeGreaterThan(0);
    expect(await waitsOf("")).toEqual([]);
    expect(await get("/api/waits/names")).toEqual({ names: [], exact: true });
  });

  test("come in pages, newest run first", async () => {
    const ids = [await started("waiting"), await started("waiting")];
    const seen: Wait[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const query: string = cursor === "" ? "" : `&cursor=${cursor}`;
      const page: { waits: Wait[]; nextCursor: string | null } = await get(`/api/waits?limit=2${query}`);
      seen.push(...page.waits);
      cursor = page.nextCursor;
    }
    expect(seen.map(({ runId }) => runId)).toEqual([ids[1], ids[0]].flatMap((id) => [id, id, id]));
    expect(new Set(seen.map(({ runId, key }) => runId + key)).size).toBe(6);
    for (const cursor of [
      "x",
      "!!!",
      btoa("x y"),
      btoa(`${ids[0]}`),
      btoa(`${ids[0]} %`),
      btoa(`${ids[0]} %00`),
    ]) {
      expect(errorCodeOf(await app.get(`/api/waits?cursor=${encodeURIComponent(cursor)}`))).toBe(
        "invalid_cursor",
      );
    }
  });

  test("are counted by name, the most awaited first", async () => {
    await started("waiting");
    await started("waiting");
    expect(await get("/api/waits/names")).toMatchObject({
      names: [
        { kind: "signal", name: "paid", count: 4, oldestAt: expect.any(String) },
        { kind: "hook", name: "callback", count: 2 },
      ],
      exact: true,
    });
  });
});

describe("the machinery", () => {
  test("at rest has nothing due, nothing stuck and nothing to send", async () => {
    await app.runtime.store.recordTick(null);
    expect(await get("/api/system")).toMatchObject({
      migrations: expect.stringMatching(/^\d{4}_/),
      tick: { at: expect.any(String), late: false },
      queue: { due: exact(0), oldestDueAt: null, lagMs: 0 },
      leases: { running: exact(0), expired: exact(0) },
      events: { pending: exact(0), dead: exact(0) },
      stuck: { runs: [], checked: true },
      bulk: { running: 0 },
    });
  });

  test("tells where turns spent their time in the last day, in the order of a turn", async () => {
    expect(await get("/api/system")).toMatchObject({ turns: { hours: 24, phases: [] } });
    const buckets = [...BOUNDS_MS.map((bound) => (bound === 5 ? 4 : 0)), 0];
    await app.database.timings.add([
      { phase: "commit", turns: 4, totalMs: 16, buckets },
      { phase: "claim", turns: 0, totalMs: 0, buckets: buckets.map(() => 0) },
    ]);
    const { turns } = await get<{ turns: { phases: unknown[] } }>("/api/system");
    expect(turns.phases).toEqual([
      { phase: "claim", turns: 0, totalMs: 0, meanMs: 0, p50Ms: null, p95Ms: null, p99Ms: null },
      { phase: "commit", turns: 4, totalMs: 16, meanMs: 4, p50Ms: 4, p95Ms: 4.9, p99Ms: 4.98 },
    ]);
  });

  test("tells what each sweep last came to", async () => {
    await app.database.timings.noteSweeps([{ name: "forget events", ms: 4, outcome: "more" }]);
    const { sweeps } = await get<{ sweeps: unknown[] }>("/api/system");
    expect(sweeps).toContainEqual({ name: "forget events", at: expect.any(String), ms: 4, outcome: "more" });
  });

  test("of an idle cron is not late before that was to be back", async () => {
    await app.runtime.store.recordTick(null);
    await app.runtime.store.recordIdle(60 * MINUTE);
    await app.database.moveClock(59 * MINUTE);
    expect(await get("/api/system")).toMatchObject({
      tick: { idleUntil: expect.any(String), ageMs: 0, late: false },
    });
    await app.database.moveClock(5 * MINUTE);
    expect(await get("/api/system")).toMatchObject({ tick: { late: true } });
  });

  test("tells the size of the database and of its tables", async () => {
    const { database } = await get<{
      database: { bytes: number; tables: { name: string; bytes: number }[] };
    }>("/api/system");
    expect(database.bytes).toBeGreaterThan(1_000_000);
    expect(database.tables.map(({ name }) => name)).toEqual(expect.arrayContaining(["runs", "journal"]));
    expect(database.tables[0]?.bytes).toBeGreaterThan(0);
  });

  test("without a tick for three minutes is late, as it is without any", async () => {
    expect(await get("/api/system")).toMatchObject({ tick: { at: null, ageMs: null, late: true } });
    await app.runtime.store.recordTick(null);
    await app.database.moveClock(2 * MINUTE);
    expect(await get("/api/system")).toMatchObject({ tick: { late: false } });
    await app.database.moveClock(MINUTE);
    const { tick } = await get<{ tick: { late: boolean; ageMs: number } }>("/api/system");
    expect(tick.late).toBe(true);
    expect(tick.ageMs).toBeGreaterThanOrEqual(3 * MINUTE);
  });

  test("tells what is due and since when, and which leases ran out", async () => {
    const id = await app.start("quick");
    await app.database.moveClock(MINUTE);
    const { queue } = await get<{ queue: { due: object; lagMs: number } }>("/api/system");
    expect(queue.due).toEqual(exact(1));
    expect(queue.lagMs).toBeGreaterThanOrEqual(MINUTE);
    await app.database.store.claimRuns([{ tenant: "default", runId: id }], SECOND);
    expect(await get("/api/system")).toMatchObject({ leases: { running: exact(1), expired: exact(0) } });
    await app.database.moveClock(SECOND);
    expect(await get("/api/system")).toMatchObject({
      queue: { due: exact(0), lagMs: 0 },
      leases: { running: exact(1), expired: exact(1) },
    });
    await app.post(`/api/runs/${id}/cancel`);
  });

  test("names the runs that nothing would move again", async () => {
    const id = await started("waiting");
    await app.database.rows("delete from pawl.waits");
    await app.database.rows("update pawl.runs set wake_at = null");
    expect(await get("/api/system")).toMatchObject({
      stuck: { runs: [{ id, status: "waiting", reason: "waits for nothing" }], checked: true },
    });
    await app.post(`/api/runs/${id}/cancel`);
  });

  test("says so when finding out what is stuck takes too long, and answers all else", async () => {
    await app.database.rows(`alter view pawl.stuck_runs rename to stuck_runs_meant`);
    await app.database.rows(`create view pawl.stuck_runs as
      select m.tenant, m.id, m.status, m.reason || pg_sleep(60)::text as reason
      from (select * from pawl.stuck_runs_meant union all select 'default', '', '', '') m`);
    const { status, body } = await app.get("/api/system");
    await app.database.rows("drop view pawl.stuck_runs");
    await app.database.rows("alter view pawl.stuck_runs_meant rename to stuck_runs");
    expect(status).toBe(200);
    expect(body).toMatchObject({ stuck: { runs: [], checked: false }, queue: { lagMs: 0 } });
  });
});

describe("metrics", () => {
  interface Bucket {
    readonly at: string;
    readonly started: number;
    readonly completed: number;
    readonly failed: number;
  }
  interface Shown {
    readonly bucketMs: number;
    readonly exact: boolean;
    readonly from: string;
    readonly to: string;
    readonly buckets: readonly Bucket[];
    readonly latency: readonly { readonly p50Ms: number | null }[];
    readonly steps: readonly object[];
    readonly backlog: object;
  }
  const sum = (buckets: readonly Bucket[], what: "started" | "completed" | "failed") =>
    buckets.reduce((total, bucket) => total + bucket[what], 0);

  test("tell what began and ended, bucket by bucket and without a gap", async () => {
    await started("quick");
    await app.database.moveClock(20 * MINUTE);
    await started("quick");
    await failed();
    const { buckets, bucketMs, exact: whole } = await get<Shown>("/api/metrics?range=1h");
    expect([whole, bucketMs]).toEqual([true, MINUTE]);
    expect([sum(buckets, "started"), sum(buckets, "completed"), sum(buckets, "failed")]).toEqual([3, 2, 1]);
    const times = buckets.map(({ at }) => Date.parse(at));
    expect(new Set(times.slice(1).map((at, i) => at - (times[i] ?? 0)))).toEqual(new Set([MINUTE]));
    expect(buckets.filter((bucket) => bucket.started > 0).length).toBeGreaterThan(1);
  });

  test("tell of each step how often it was tried again and how long it took, repeats taken together", async () => {
    await started("quick");
    await failed();
    const { steps, latency } = await get<Shown>("/api/metrics");
    expect(steps).toMatchObject([
      { workflow: "failing", step: "call", runs: 1, attempts: 2, retries: 1, failures: 1, retryRate: 0.5 },
      { workflow: "quick", step: "work", runs: 1, attempts: 2, retries: 0, failures: 0, retryRate: 0 },
    ]);
    expect(latency.filter(({ p50Ms }) => p50Ms !== null).length).toBeGreaterThan(0);
  });

  test("can be asked of one workflow", async () => {
    await started("quick");
    await started("waiting");
    const { buckets, backlog } = await get<Shown>("/api/metrics?workflow=waiting&range=7d");
    expect(sum(buckets, "started")).toBe(1);
    expect(backlog).toMatchObject({ waiting: exact(1), sleeping: exact(0), ready: exact(0) });
  });

  test("of nothing are zeros", async () => {
    const { buckets, steps, backlog } = await get<Shown>("/api/metrics?range=6h");
    expect([sum(buckets, "started"), steps]).toEqual([0, []]);
    expect(buckets.length).toBeGreaterThanOrEqual(72);
    expect(backlog).toMatchObject({ oldestDueMs: 0 });
  });
});

describe("GET /metrics", () => {
  test("gives gauges as Prometheus reads them", async () => {
    const count = exact(3);
    const { call } = await appWith({
      overview: {
        countRuns: async () => ({
          ...{ ready: count, running: count, sleeping: count, waiting: count, paused: count },
          ...{ completed: count, cancelled: count, failed: count, dead: count, deadLetters: exact(6) },
        }),
        system: async () => ({
          ...{
            now: 10_000,
            lastMigration: "0001",
            lastTickAt: 4_000,
            idleUntil: null,
            due: exact(2),
            oldestDueAt: 8_500,
          },
          ...{
            leased: count,
            expired: exact(1),
            eventsPending: exact(4),
            eventsDead: exact(5),
            bulkActions: 0,
          },
          ...{ databaseBytes: 1_234, tables: [] },
        }),
      },
    });
    const response = await call("/metrics");
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const lines = (await response.text()).split("\n");
    expect(lines.at(-1)).toBe("");
    const values = lines.filter((line) => line !== "" && !line.startsWith("#"));
    expect(values).toEqual([
      ...[
        "ready",
        "running",
        "sleeping",
        "waiting",
        "paused",
        "completed",
        "cancelled",
        "failed",
        "dead",
      ].map((status) => `pawl_runs{status="${status}"} 3`),
      "pawl_dead_letters 6",
      "pawl_due_runs 2",
      "pawl_oldest_due_seconds 1.5",
      "pawl_expired_leases 1",
      "pawl_last_tick_age_seconds 6",
      'pawl_events{status="pending"} 4',
      'pawl_events{status="dead"} 5',
      "pawl_database_bytes 1234",
    ]);
    for (const line of lines.filter((each) => each.startsWith("# TYPE"))) expect(line).toMatch(/ gauge$/);
  });
});
