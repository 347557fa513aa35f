/** One verb for many runs: tracked, abortable, no faster than it may be, and none the worse for workers that die. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sweep } from "../../src/cron/tick.ts";
import { StoreUnavailable } from "../../src/engine/errors.ts";
import { defineWorkflow } from "../../src/engine/workflow.ts";
import { eventually } from "../support/waiting.ts";
import { createLiveApp, type LiveApp } from "./live.ts";
import { errorCodeOf, RUN_ID } from "./support.ts";

const SECOND = 1_000;
const LEASE = 60 * SECOND;

const waiting = defineWorkflow({ name: "waiting" }, async ({ step }) => {
  await step.waitForSignal("go");
});
const failing = defineWorkflow({ name: "failing" }, async () => {
  throw new Error("no");
});

let app: LiveApp;
beforeAll(async () => {
  app = await createLiveApp([waiting, failing]);
});
beforeEach(async () => {
  for (const table of ["runs", "journal", "waits", "run_tags", "actions", "bulk_actions"]) {
    await app.database.rows(`truncate pawl.${table}`);
  }
});
afterEach(async () => {
  expect(await app.database.rows("select * from pawl.stuck_runs")).toEqual([]);
});
afterAll(() => app?.stop());

interface Bulk {
  readonly id: string;
  readonly status: string;
  readonly matching: { readonly count: number };
  readonly seen: number;
  readonly done: number;
  readonly skipped: number;
  readonly failed: number;
  readonly failures: readonly { readonly runId: string; readonly message: string }[];
}

async function start(workflow: string, count: number): Promise<string[]> {
  const runs = Array.from({ length: count }, () => ({}));
  const { body } = await app.post(`/api/workflows/${workflow}/runs:batch`, { runs });
  const ids = (body as { runs: { id: string }[] }).runs.map(({ id }) => id);
  await app.drive(...ids);
  return ids;
}

async function begin(body: object, headers = {}): Promise<Bulk> {
  const { status, body: bulk } = await app.post("/api/bulk", body, headers);
  expect([status, bulk]).toEqual([201, expect.anything()]);
  return bulk;
}
const see = async ({ id }: Pick<Bulk, "id">) => (await app.get(`/api/bulk/${id}`)).body as Bulk;
/** What the queue and the cron bring about. */
const share = () => sweep(app.runtime, "bulk");
/** Shares, each when it is due, until the bulk action is over. */
async function finish(bulk: Bulk): Promise<Bulk> {
  for (let now = await see(bulk); ; now = await see(bulk)) {
    if (now.status !== "running") return now;
    await share();
    await app.database.moveClock(2 * SECOND);
  }
}
/** The clock stands still, so that no machine is too slow for what is due when. */
async function stopClock(laterMs = 0): Promise<void> {
  const [row] = await app.database.rows<{ at: Date }>("select pawl.clock() as at");
  const at = new Date((row?.at.getTime() ?? 0) + laterMs + 1).toISOString();
  await app.database.rows(
    `create or replace function pawl.clock() returns timestamptz language sql volatile as $$ select '${at}'::timestamptz $$`,
  );
}
const statuses = async () => {
  const rows = await app.database.rows<{ status: string; n: number }>(
    "select status, count(*)::int as n from pawl.runs group by 1",
  );
  return Object.fromEntries(rows.map(({ status, n }) => [status, n]));
};

describe("a dry run", () => {
  test("counts the runs that would be moved, names some, and moves none", async () => {
    const ids = await start("waiting", 12);
    await start("failing", 3);
    const { status, body } = await app.post("/api/bulk", {
      verb: "cancel",
      runs: { tag: [], createdAfter: "2020-01-01T00:00:00Z" },
      dryRun: true,
    });
    expect(status).toBe(200);
    expect(body).toEqual({
      matching: { count: 12, exact: true },
      sampleIds: ids.toSorted().reverse().slice(0, 10),
    });
    expect(await statuses()).toEqual({ waiting: 12, failed: 3 });
    expect((await app.get("/api/bulk")).body).toEqual({ bulks: [], nextCursor: null });
  });

  test.each([
    ["revive", { deadLetters: {} }, 3],
    ["revive", { runs: { status: "failed,waiting" } }, 3],
    ["revive", { runs: { status: "waiting" } }, 0],
    ["pause", { runs: { workflow: "waiting" } }, 2],
    ["resume", { runs: { workflow: "waiting" } }, 0],
    ["rerun", { runs: { workflow: "waiting", status: "completed,waiting" } }, 2],
    ["discard", { deadLetters: { workflow: "none" } }, 0],
    ["cancel", { ids: [RUN_ID, RUN_ID] }, 1],
  ])("of %s over %j counts what the verb does something to", async (verb, source, count) => {
    await start("waiting", 2);
    await start("failing", 3);
    const { body } = await app.post("/api/bulk", { verb, ...source, dryRun: true });
    expect(body).toMatchObject({ matching: { count, exact: true } });
  });
});

describe("a bulk action", () => {
  test("revives all dead letters of one kind, share by share, and notes each", async () => {
    const ids = await start("failing", 25);
    const { groups } = (await app.get("/api/dead-letters/groups")).body as {
      groups: { fingerprint: string }[];
    };
    const deadLetters = { fingerprint: groups[0]?.fingerprint };
    const bulk = await begin({ verb: "revive", deadLetters, note: "fixed in v2" });
    expect(bulk).toMatchObject({
      ...{ verb: "revive", of: "deadLetters", filter: deadLetters, status: "running", rate: 10, by: "admin" },
      ...{ matching: { count: 25, exact: true }, seen: 0, note: "fixed in v2", finishedAt: null },
    });
    await share();
    expect(await see(bulk)).toMatchObject({ status: "running", done: 20, seen: 20 });
    expect(await finish(bulk)).toMatchObject({
      ...{ status: "done", done: 25, skipped: 0, failed: 0, failures: [] },
      finishedAt: expect.any(String),
    });
    expect(await statuses()).toEqual({ ready: 25 });
    const { actions } = (await app.get("/api/history?limit=100")).body as { actions: object[] };
    expect(actions).toHaveLength(25);
    expect(actions[0]).toMatchObject({ verb: "revive", bulkId: bulk.id, note: "fixed in v2", by: "admin" });
    await app.drive(...ids);
  });

  test("goes no faster than its rate", async () => {
    await start("waiting", 9);
    const bulk = await begin({ verb: "pause", runs: { workflow: "waiting" }, rate: 2 });
    await stopClock();
    await share();
    await share();
    expect(await see(bulk)).toMatchObject({ done: 4 });
    await stopClock(2 * SECOND);
    await Promise.all([share(), share(), share()]);
    expect(await see(bulk)).toMatchObject({ done: 8 });
    await app.database.moveClock(2 * SECOND);
    expect(await finish(bulk)).toMatchObject({ done: 9 });
  });

  test("that is aborted takes no further share, and says how far it came", async () => {
    await start("waiting", 5);
    const bulk = await begin({ verb: "cancel", runs: { workflow: "waiting" }, rate: 1 });
    await share();
    const aborted = await app.post(`/api/bulk/${bulk.id}/abort`);
    expect(aborted.body).toMatchObject({ status: "aborted", done: 2, finishedAt: expect.any(String) });
    await app.database.moveClock(LEASE);
    await share();
    expect(await see(bulk)).toEqual(aborted.body);
    expect(await statuses()).toEqual({ cancelled: 2, waiting: 3 });
    expect((await app.post(`/api/bulk/${bulk.id}/abort`)).status).toBe(200);
  });

  test("that is aborted during a share counts what the share did, and stays aborted", async () => {
    await start("waiting", 5);
    const bulk = await begin({ verb: "cancel", runs: { workflow: "waiting" }, rate: 1 });
    const [claimed] = await app.runtime.bulks.claim(1, LEASE);
    if (claimed === undefined) throw new Error("nothing is due");
    await app.post(`/api/bulk/${bulk.id}/abort`);
    const done = [{ runId: RUN_ID, newRunId: null }];
    const told = { cursor: RUN_ID, done, skipped: 0, failures: [], nextInMs: 2_000 };
    expect(await app.runtime.bulks.advance(claimed, told)).toBe(true);
    expect(await see(bulk)).toMatchObject({ status: "aborted", done: 1 });
  });

  test("that is done cannot be aborted", async () => {
    await start("waiting", 1);
    const bulk = await begin({ verb: "cancel", runs: { workflow: "waiting" } });
    await finish(bulk);
    expect(errorCodeOf(await app.post(`/api/bulk/${bulk.id}/abort`))).toBe("bulk_over");
  });

  test("goes on where it was when a worker dies in the middle of a share", async () => {
    const ids = await start("waiting", 5);
    const bulk = await begin({ verb: "rerun", ids, rate: 2 });
    const dying = {
      ...app.runtime,
      bulks: { ...app.runtime.bulks, advance: () => new Promise<never>(() => {}) },
    };
    void sweep(dying, "bulk");
    await eventually("the share is done", async () => (await statuses()).ready === 4);
    await share();
    expect(await see(bulk)).toMatchObject({ seen: 0 });
    await app.database.moveClock(LEASE);
    expect(await finish(bulk)).toMatchObject({ status: "done", done: 5, failed: 0 });
    const forked = await app.database.rows<{ forked_from: string }>(
      "select forked_from from pawl.runs where forked_from is not null order by 1",
    );
    expect(forked.map(({ forked_from }) => forked_from)).toEqual(ids.toSorted());
  });

  test("whose share comes late is not counted twice", async () => {
    await start("waiting", 5);
    const bulk = await begin({ verb: "pause", runs: { workflow: "waiting" }, rate: 1 });
    const [late] = await app.runtime.bulks.claim(1, LEASE);
    if (late === undefined) throw new Error("nothing is due");
    await app.database.moveClock(LEASE);
    await share();
    const told = {
      cursor: RUN_ID,
      done: [{ runId: RUN_ID, newRunId: null }],
      skipped: 0,
      failures: [],
      nextInMs: null,
    };
    expect(await app.runtime.bulks.advance(late, told)).toBe(false);
    expect(await see(bulk)).toMatchObject({ status: "running", done: 2 });
    await finish(bulk);
  });

  test("skips what its verb does not fit any more, and what is gone", async () => {
    const ids = await start("waiting", 3);
    await app.post(`/api/runs/${ids[0]}/cancel`);
    const bulk = await finish(await begin({ verb: "pause", ids: [...ids, RUN_ID] }));
    expect(bulk).toMatchObject({ done: 2, skipped: 2, failed: 0, seen: 4 });
  });

  test("tells of the first ten that failed, and goes on", async () => {
    await start("waiting", 13);
    await app.database.rows(
      "update pawl.runs set workflow = 'gone' where id < (select max(id) from pawl.runs)",
    );
    const bulk = await finish(await begin({ verb: "rerun", runs: { status: "waiting" } }));
    expect(bulk).toMatchObject({ status: "done", done: 1, failed: 12 });
    expect(bulk.failures).toHaveLength(10);
    expect(bulk.failures[0]?.message).toContain('No workflow "gone" is registered');
  });

  test("is taken again when the database fails at a run, and holds up no other", async () => {
    const ids = await start("waiting", 3);
    const bulk = await begin({ verb: "pause", ids });
    const { runtime } = app;
    const other = await begin({ verb: "resume", ids: [RUN_ID] });
    const pauseRun = () => Promise.reject(new StoreUnavailable(new Error("gone")));
    await sweep({ ...runtime, store: { ...runtime.store, pauseRun } }, "bulk");
    expect(await see(bulk)).toMatchObject({ status: "running", seen: 0 });
    expect(await see(other)).toMatchObject({ status: "done", skipped: 1 });
    await app.database.moveClock(LEASE);
    expect(await finish(bulk)).toMatchObject({ done: 3 });
  });

  test("is started once under one idempotency key", async () => {
    await start("waiting", 1);
    const body = { verb: "pause", runs: { workflow: "waiting" } };
    const bulk = await begin(body, { "idempotency-key": "click" });
    const again = await app.post("/api/bulk", body, { "idempotency-key": "click" });
    expect([again.status, again.body]).toEqual([200, bulk]);
    await finish(bulk);
  });

  test("does not take in what it starts itself", async () => {
    await start("failing", 3);
    const bulk = await begin({ verb: "rerun", runs: { workflow: "failing" }, rate: 1 });
    expect(await finish(bulk)).toMatchObject({ done: 3 });
    expect(await statuses()).toEqual({ failed: 3, ready: 3 });
  });

  test("lets cancelled runs undo what they did when asked to", async () => {
    const [id] = await start("waiting", 1);
    await finish(await begin({ verb: "cancel", ids: [id], compensate: true }));
    expect((await app.get(`/api/runs/${id}`)).body).toMatchObject({ phase: "compensating" });
    await app.drive(id ?? "");
  });
});

test("bulk actions come in pages, newest first", async () => {
  const made = [];
  for (let i = 0; i < 3; i++) made.push((await begin({ verb: "pause", ids: [RUN_ID] })).id);
  const first = (await app.get("/api/bulk?limit=2")).body as { bulks: Bulk[]; nextCursor: string };
  const second = (await app.get(`/api/bulk?limit=2&cursor=${first.nextCursor}`)).body as { bulks: Bulk[] };
  expect([...first.bulks, ...second.bulks].map(({ id }) => id)).toEqual(made.reverse());
});

test.each([
  {},
  { verb: "delete", ids: [RUN_ID] },
  { verb: "pause" },
  { verb: "pause", runs: {} },
  { verb: "pause", ids: [] },
  { verb: "pause", ids: ["x"] },
  { verb: "pause", ids: Array(501).fill(RUN_ID) },
  { verb: "pause", ids: [RUN_ID], runs: { workflow: "x" } },
  { verb: "pause", ids: [RUN_ID], compensate: true },
  { verb: "pause", ids: [RUN_ID], rate: 0 },
  { verb: "pause", ids: [RUN_ID], rate: 101 },
  { verb: "pause", ids: [RUN_ID], note: "" },
  { verb: "pause", runs: { worklow: "x" } },
  { verb: "pause", runs: { status: "done" } },
  { verb: "pause", runs: { workflow: ["a", "b"] } },
  { verb: "pause", runs: { fingerprint: "0123456789abcdef" } },
  { verb: "pause", runs: { limit: "1" } },
])("%j is refused", async (body) => {
  const answer = await app.post("/api/bulk", body);
  expect(errorCodeOf(answer)).toBe("invalid_request");
  expect(JSON.stringify(answer.body)).toContain("Invalid body");
  expect(await app.database.rows("select from pawl.bulk_actions")).toEqual([]);
});

test("there is no bulk action of an id that none has", async () => {
  for (const id of [RUN_ID, "x", "%00"]) {
    expect(errorCodeOf(await app.get(`/api/bulk/${id}`))).toBe("bulk_not_found");
    expect(errorCodeOf(await app.post(`/api/bulk/${id}/abort`))).toBe("bulk_not_found");
  }
});
