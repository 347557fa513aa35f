/** What a person sees of many runs, and of one as time goes by, on the real store. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { defineWorkflow } from "../../src/engine/workflow.ts";
import { createLiveApp, type LiveApp } from "./live.ts";
import { errorCodeOf } from "./support.ts";

const MINUTE = 60_000;

const sleeping = defineWorkflow({ name: "sleeping" }, async ({ step }) => {
  await step.run("before", () => "x".repeat(100));
  await step.sleep("a week", "7 days");
});
const asking = defineWorkflow({ name: "asking" }, async ({ step }) => {
  await Promise.all([
    step.waitForSignal("paid", { timeout: "1 hour" }),
    step.waitForSignal("shipped"),
    step.sleep("later", "2 hours"),
  ]);
});
const failing = defineWorkflow({ name: "failing" }, async ({ step }) => {
  const decline = () => {
    throw new RangeError(`declined ${"y".repeat(300)}`);
  };
  await step.run("charge", decline, { retry: { maxAttempts: 1 } });
});
const retrying = defineWorkflow({ name: "retrying" }, async ({ step }) => {
  const fail = () => {
    throw new Error("not now");
  };
  await step.run("call", fail, { retry: { maxAttempts: 3, delay: "1 minute" } });
});
const apart = defineWorkflow({ name: "apart" }, async ({ step }) => {
  await Promise.all([step.run("left", () => 1), step.run("right", () => 2)]);
});
const child = defineWorkflow({ name: "child" }, async ({ step }) => {
  await step.run("work", () => 1);
});
const parent = defineWorkflow({ name: "parent" }, async ({ step }) => {
  await step.start("detached", child, null);
  await step.invoke("child", child, null);
});
const done = defineWorkflow({ name: "done" }, async () => "done");

let app: LiveApp;
beforeAll(async () => {
  app = await createLiveApp([sleeping, asking, failing, retrying, apart, child, parent, done]);
});
afterEach(async () => {
  expect(await app.database.rows("select * from pawl.stuck_runs")).toEqual([]);
});
afterAll(() => app?.stop());

const started = async (workflow: string, tags: readonly string[] = []) => {
  const id = await app.start(workflow, { tags });
  await app.drive(id);
  return id;
};
const get = async <T>(path: string) => (await app.get(path)).body as T;

interface Row {
  readonly id: string;
  readonly last: { readonly retryAt: string | null } | null;
  readonly waitsFor: { readonly until: string | null } | null;
}
const rowOf = async (id: string) => {
  const { runs } = await get<{ runs: Row[] }>("/api/runs?limit=100");
  return runs.find((run) => run.id === id);
};

describe("a row of a list", () => {
  test("tells what a sleeping run did last, and until when it sleeps", async () => {
    const id = await started("sleeping");
    const { wakeAt } = await get<{ wakeAt: string }>(`/api/runs/${id}`);
    expect(await rowOf(id)).toMatchObject({
      last: { kind: "step", key: "before", outcome: "completed", attempt: 1, retryAt: null, failure: null },
      waitsFor: { kind: "sleep", key: "a week", name: null, until: wakeAt, others: 0 },
    });
  });

  test("tells what a run waits for that waits for several things", async () => {
    const id = await started("asking");
    expect((await rowOf(id))?.waitsFor).toMatchObject({ kind: "sleep", key: "later", others: 2 });
  });

  test("tells of a failed run which step failed, at which attempt, and why in short", async () => {
    const id = await started("failing");
    expect(await rowOf(id)).toMatchObject({
      last: {
        kind: "step",
        key: "charge",
        outcome: "failed",
        attempt: 1,
        failure: { name: "RangeError", message: `declined ${"y".repeat(191)}` },
      },
    });
  });

  test("tells of a run that backs off when it tries again", async () => {
    const id = await started("retrying");
    const row = await rowOf(id);
    expect(row).toMatchObject({
      last: { outcome: "retrying", attempt: 1, retryAt: expect.any(String) },
      waitsFor: { kind: "retry", key: "call", name: null, others: 0 },
    });
    expect(row?.waitsFor?.until).toBe(row?.last?.retryAt);
  });

  test("is empty of both for a run that has only begun", async () => {
    const id = await app.start("done");
    expect(await rowOf(id)).toMatchObject({ last: null, waitsFor: null });
    await app.drive(id);
  });
});

describe("lists of runs", () => {
  const idsOf = async (query: string) =>
    (await get<{ runs: Row[] }>(`/api/runs?limit=100&${query}`)).runs.map(({ id }) => id);

  test("are found by all of several tags", async () => {
    const both = await started("done", ["eu", "vip"]);
    const one = await started("done", ["eu"]);
    expect(await idsOf("tag=eu&tag=vip")).toEqual([both]);
    expect(await idsOf("tag=eu")).toEqual([one, both]);
  });

  test("can begin after a run that is known already", async () => {
    const known = await started("done");
    const [second, third] = [await started("done"), await started("done")];
    expect(await idsOf(`newerThan=${known}`)).toEqual([third, second]);
  });

  test("tell those that wait for time alone from those that somebody must move", async () => {
    const [slept, tried, asked] = [
      await started("sleeping"),
      await started("retrying"),
      await started("asking"),
    ];
    const found = await idsOf("waitingFor=time");
    expect(found).toContain(slept);
    expect(found).toContain(tried);
    expect(found).not.toContain(asked);
    expect(await idsOf("waitingFor=signal")).toContain(asked);
    const others = await idsOf("waitingFor=besides-time");
    expect(others).toContain(asked);
    expect(others).not.toContain(slept);
    expect(others).not.toContain(tried);
  });
});

describe("counts by status", () => {
  const exact = (count: number) => ({ count, exact: true });
  const countsOf = async (query: string) =>
    (await get<{ counts: Record<string, object> }>(`/api/runs/counts?${query}`)).counts;

  test("are of what the filter fits, sleeping told from waiting", async () => {
    const tag = "counted";
    for (const name of ["sleeping", "sleeping", "retrying", "asking", "done", "failing"])
      await started(name, [tag]);
    await app.start("done", { tags: [tag] });
    const paused = await started("asking", [tag]);
    await app.post(`/api/runs/${paused}/pause`);
    const gone = await started("asking", [tag]);
    await app.post(`/api/runs/${gone}/cancel`);
    expect(await countsOf("tag=counted")).toEqual({
      ready: exact(1),
      running: exact(0),
      sleeping: exact(3),
      waiting: exact(1),
      paused: exact(1),
      completed: exact(1),
      cancelled: exact(1),
      failed: exact(1),
      dead: exact(0),
      deadLetters: exact(1),
    });
    expect(await countsOf("tag=counted&workflow=done")).toMatchObject({
      completed: exact(1),
      ready: exact(1),
    });
    expect(await countsOf("tag=nobody")).toMatchObject({ completed: exact(0), sleeping: exact(0) });
  });

  test("leave the statuses of the filter out of account", async () => {
    expect(await countsOf("tag=counted&status=failed")).toEqual(await countsOf("tag=counted"));
  });

  test("count dead letters until they are discarded", async () => {
    const id = await app.start("done", { tags: ["lost"] });
    await app.database.rows(
      `update pawl.runs set status = 'dead', failure = '{"code":"x","name":"x","message":"x"}', wake_at = null,
       wake_up_sent_at = null, finished_at = now() where id = $1`,
      [id],
    );
    expect(await countsOf("tag=lost")).toMatchObject({ dead: exact(1), deadLetters: exact(1) });
    await app.post(`/api/dead-letters/${id}/discard`);
    expect(await countsOf("tag=lost")).toMatchObject({ dead: exact(1), deadLetters: exact(0) });
  });
});

interface Entry {
  readonly seq: number;
  readonly kind: string;
  readonly key: string;
  readonly outcome: string;
  readonly queuedAt: string | null;
  readonly startedAt: string;
  readonly recordedAt: string;
  readonly retryAt: string | null;
  readonly branch: boolean;
  readonly childId: string | null;
  readonly outputBytes: number | null;
  readonly failure: { readonly message: string } | null;
}
const timelineOf = async (id: string, query = "") =>
  (await get<{ entries: Entry[] }>(`/api/runs/${id}/timeline${query}`)).entries;
const entryOf = async (id: string, key: string) => {
  const found = (await timelineOf(id)).find((entry) => entry.key === key);
  if (found === undefined) throw new Error(`no entry ${key}`);
  return found;
};

describe("a run's timeline", () => {
  test("tells since when its first step could have begun, and shows sizes in place of payloads", async () => {
    const id = await started("sleeping");
    const { createdAt } = await get<{ createdAt: string }>(`/api/runs/${id}`);
    const entry = await entryOf(id, "before");
    expect(entry).toMatchObject({ seq: 1, kind: "step", queuedAt: createdAt, branch: false, childId: null });
    expect(entry.outputBytes).toBeGreaterThan(100);
    expect(entry).not.toHaveProperty("output");
  });

  test("shows a sleep from its beginning to its end", async () => {
    const id = await started("sleeping");
    await app.database.moveClock(7 * 24 * 60 * MINUTE);
    await app.drive(id);
    const slept = await entryOf(id, "a week");
    const ms = Date.parse(slept.recordedAt) - Date.parse(slept.startedAt);
    expect(ms).toBeGreaterThanOrEqual(7 * 24 * 60 * MINUTE);
  });

  test("counts a retry as waiting from when it was due, not from the attempt before", async () => {
    const id = await started("retrying");
    await app.database.moveClock(5 * MINUTE);
    await app.drive(id);
    const [first, second] = await timelineOf(id);
    expect(first).toMatchObject({ outcome: "retrying", failure: { code: "error", message: "not now" } });
    expect(second?.queuedAt).toBe(first?.retryAt);
    expect(Date.parse(second?.startedAt ?? "")).toBeGreaterThan(Date.parse(first?.retryAt ?? "") + MINUTE);
  });

  test("tells of steps side by side since when they waited to be performed", async () => {
    const id = await app.start("apart");
    await app.turn(id);
    await app.database.moveClock(MINUTE);
    await app.drive(id);
    for (const key of ["left", "right"]) {
      const entry = await entryOf(id, key);
      expect(entry.branch).toBe(true);
      const waited = Date.parse(entry.startedAt) - Date.parse(entry.queuedAt ?? "");
      expect([key, waited >= MINUTE]).toEqual([key, true]);
    }
  });

  test("leads to the runs that were started", async () => {
    const id = await app.start("parent");
    await app.turn(id);
    const { runs } = await get<{ runs: { id: string }[] }>(`/api/runs/${id}/children`);
    await app.drive(id, ...runs.map((run) => run.id));
    const all = (await get<{ runs: { id: string }[] }>(`/api/runs/${id}/children`)).runs.map((run) => run.id);
    await app.drive(id, ...all);
    const ids = [(await entryOf(id, "detached")).childId, (await entryOf(id, "child")).childId];
    expect(ids.toSorted()).toEqual(all.toSorted());
  });

  test("comes in pages of up to a thousand", async () => {
    const id = await started("retrying");
    await app.database.moveClock(2 * MINUTE);
    await app.drive(id);
    const first = await get<{ entries: Entry[]; nextCursor: string }>(`/api/runs/${id}/timeline?limit=1`);
    expect(first.entries.map(({ seq }) => seq)).toEqual([1]);
    expect((await timelineOf(id, `?cursor=${first.nextCursor}`)).map(({ seq }) => seq)).toEqual([2]);
    expect((await timelineOf(id, "?after=1")).map(({ seq }) => seq)).toEqual([2]);
    expect(await timelineOf(id, "?after=2")).toEqual([]);
    expect(errorCodeOf(await app.get(`/api/runs/${id}/timeline?after=-1`))).toBe("invalid_request");
    expect(errorCodeOf(await app.get(`/api/runs/${id}/timeline?limit=1001`))).toBe("invalid_request");
  });
});

describe("one entry of a journal", () => {
  test("is shown with its payload and all of its failure", async () => {
    const id = await started("sleeping");
    expect(await get(`/api/runs/${id}/journal/1`)).toMatchObject({ seq: 1, output: "x".repeat(100) });
    const failed = await started("failing");
    expect(await get(`/api/runs/${failed}/journal/1`)).toMatchObject({
      failure: { name: "RangeError", stack: expect.any(String) },
    });
  });

  test("is not found under a number that the journal does not have", async () => {
    const id = await started("sleeping");
    for (const seq of ["0", "2", "-1", "01", "1.0", "999999999", "9999999999", "x", "%00"]) {
      expect([seq, errorCodeOf(await app.get(`/api/runs/${id}/journal/${seq}`))]).toEqual([
        seq,
        "entry_not_found",
      ]);
    }
  });
});

test("a run tells since when its turn, its sleeps and its branches are under way", async () => {
  const slept = await started("sleeping");
  expect(await get(`/api/runs/${slept}`)).toMatchObject({
    turnBegunAt: null,
    sleeps: [{ key: "a week", begunAt: expect.any(String), dueAt: expect.any(String) }],
  });
  const id = await app.start("apart");
  await app.turn(id);
  const ref = { tenant: "default", runId: id };
  const { claimed } = await app.database.store.claimBranches([{ ...ref, key: "left" }], MINUTE);
  const { branches } = await get<{ branches: Record<string, string | null>[] }>(`/api/runs/${id}`);
  const [left, right] = ["left", "right"].map((key) => branches.find((branch) => branch.key === key));
  expect(left?.attemptBegunAt).not.toBeNull();
  expect(right).toMatchObject({ attemptBegunAt: null, begunAt: expect.any(String) });
  const outcome = { attempt: 1, output: null, failure: null, retryInMs: 0, tookMs: 0 };
  await app.database.store.commitBranches([
    { ...ref, key: "left", branchTurn: claimed[0]?.branchTurn ?? 0, ...outcome, outcome: "completed" },
  ]);
  await app.database.store.claimRuns([ref], MINUTE);
  expect(await get(`/api/runs/${id}`)).toMatchObject({ status: "running", turnBegunAt: expect.any(String) });
  await app.post(`/api/runs/${id}/cancel`);
});
