/** The HTTP API end to end, on a real Postgres. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Effect } from "../support/ledger.ts";
import { eventually, gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

const NOBODY = "01K7Z3QX5V8M2N4P6R8T0W1Y3A";

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

interface Page {
  readonly runs: readonly { readonly id: string; readonly workflow: string; readonly status: string }[];
  readonly nextCursor: string | null;
}

const start = (workflow: string, body: unknown, headers?: Record<string, string>) =>
  world.worker.post(`/api/workflows/${workflow}/runs`, body, headers);
const list = async (query: string) => (await world.worker.get(`/api/runs?${query}`)).body as Page;
const idsOf = ({ runs }: Page) => runs.map(({ id }) => id);
const idOf = ({ body }: { body: never }) => (body as { id: string }).id;
const countRuns = async () => (await world.database.rows("select id from pawl.runs")).length;

/** Starts runs that nobody wakes. */
async function asleep(workflow: string, bodies: readonly unknown[]): Promise<string[]> {
  world.broker.deliveries = () => 0;
  const ids: string[] = [];
  for (const body of bodies) ids.push(idOf(await start(workflow, body)));
  world.broker.deliveries = () => 1;
  return ids;
}

/** A run that failed in its second step. */
async function failedRun(): Promise<string> {
  world.ledger.onEffect = ({ step }) => (step === "fragile" ? { fail: "out of glue" } : {});
  const id = await world.start("fragile", { attempts: 1 });
  await world.reaches(id, "failed");
  world.ledger.onEffect = () => {};
  return id;
}

describe("a start", () => {
  test("answers 201 with the run and where to find it, and the run is there", async () => {
    const response = await world.worker.fetch("/api/workflows/count/runs", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ input: { steps: 1 }, tags: ["red", "blue", "red"] }),
    });
    const run = (await response.json()) as { id: string };
    expect(response.status).toBe(201);
    expect(response.headers.get("location")).toBe(`/api/runs/${run.id}`);
    expect(run).toMatchObject({ workflow: "count", version: 1, status: "ready", tags: ["red", "blue"] });
    expect(await countRuns()).toBe(1);
    await world.reaches(run.id, "completed");
  });

  test("of an unknown workflow or version is a 404, and nothing is started", async () => {
    const gone = { status: 404, body: { error: { code: "workflow_not_found" } } };
    expect(await start("nothing", {})).toMatchObject(gone);
    expect(await start("count", { input: { steps: 1 }, version: 9 })).toMatchObject(gone);
    expect(await countRuns()).toBe(0);
  });

  test("with an input that does not fit the schema is a 422 that says where, and nothing is started", async () => {
    const refused = await start("count", { input: { steps: "many" } });
    expect(refused).toMatchObject({ status: 422, body: { error: { code: "invalid_input" } } });
    expect((refused.body as { error: { message: string } }).error.message).toContain("steps");
    expect(await countRuns()).toBe(0);
  });

  test("with a field that does not exist is a 400", async () => {
    const refused = await start("count", { inptu: { steps: 1 } });
    expect(refused).toMatchObject({ status: 400, body: { error: { code: "invalid_request" } } });
  });

  test("with a delay is not due before, and says when it is", async () => {
    const answer = await start("count", { input: { steps: 1 }, delay: "2 hours" });
    const { createdAt, wakeAt } = answer.body as { createdAt: string; wakeAt: string };
    expect(Date.parse(wakeAt) - Date.parse(createdAt)).toBe(7_200_000);
    const [wakeUp] = world.broker.sent;
    expect(wakeUp?.delaySeconds).toBeGreaterThanOrEqual(7_190);
    expect(wakeUp?.delaySeconds).toBeLessThanOrEqual(7_200);
  });

  test("with a deadline fails by itself when that has passed", async () => {
    const [id = ""] = await asleep("count", [{ input: { steps: 1 }, deadline: "1 hour" }]);
    await world.database.moveClock(3_600_001);
    await world.worker.tick();
    await world.database.moveClock(15_001);
    await world.worker.tick();
    expect((await world.reaches(id, "failed")).failure?.code).toBe("deadline_exceeded");
    expect(world.ledger.effects).toEqual([]);
  });
});

describe("an idempotency key", () => {
  const key = { "idempotency-key": "order-7" };

  test("makes fifty starts at once one run (H12)", async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => start("count", { input: { steps: 2 } }, key)),
    );
    expect(new Set(answers.map(idOf)).size).toBe(1);
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(49);
    expect(await countRuns()).toBe(1);
    const [answer] = answers;
    await world.reaches(answer === undefined ? "" : idOf(answer), "completed");
    expect(world.ledger.effects).toHaveLength(2);
  });

  test("finds its run after that has finished, and starts nothing (H12)", async () => {
    const first = await start("count", { input: { steps: 1 } }, key);
    await world.reaches(idOf(first), "completed");
    const again = await start("count", { input: { steps: 1 } }, key);
    expect(again).toMatchObject({ status: 200, body: { id: idOf(first), status: "completed" } });
  });

  test("with another input is a 409 that names the run, and starts nothing (H12)", async () => {
    const first = await start("count", { input: { steps: 1 } }, key);
    const other = await start("count", { input: { steps: 2 } }, key);
    expect(other).toMatchObject({ status: 409, body: { error: { code: "idempotency_conflict" } } });
    expect((other.body as { error: { message: string } }).error.message).toContain(idOf(first));
    expect(await countRuns()).toBe(1);
    await world.reaches(idOf(first), "completed");
  });

  test("belongs to its workflow", async () => {
    const ids = await Promise.all([
      start("count", { input: { steps: 0 } }, key),
      start("idle", { input: { steps: 0 } }, key),
    ]);
    expect(new Set(ids.map(idOf)).size).toBe(2);
    await world.allReach(ids.map(idOf), "completed");
  });
});

describe("a batch", () => {
  const batch = (runs: unknown[], workflow = "count") =>
    world.worker.post(`/api/workflows/${workflow}/runs:batch`, { runs });

  test("starts all its runs, in their order", async () => {
    const { status, body } = await batch([
      { input: { steps: 1 } },
      { input: { steps: 2 } },
      { input: { steps: 3 } },
    ]);
    expect(status).toBe(201);
    const ids = (body as unknown as { runs: { id: string }[] }).runs.map(({ id }) => id);
    await world.allReach(ids, "completed");
    expect((await Promise.all(ids.map(world.run))).map(({ output }) => output)).toEqual([1, 2, 3]);
  });

  test("with one wrong input starts nothing", async () => {
    expect(await batch([{ input: { steps: 1 } }, { input: {} }])).toMatchObject({ status: 422 });
    expect(await countRuns()).toBe(0);
    expect(world.broker.sent).toEqual([]);
  });

  test("with one conflict starts nothing", async () => {
    const first = await start("count", { input: { steps: 0 } }, { "idempotency-key": "taken" });
    await world.reaches(idOf(first), "completed");
    const answer = await batch([
      { input: { steps: 1 } },
      { input: { steps: 9 }, idempotencyKey: "taken" },
      { input: { steps: 1 } },
    ]);
    expect(answer).toMatchObject({ status: 409, body: { error: { code: "idempotency_conflict" } } });
    expect(await countRuns()).toBe(1);
  });

  test("that names a key twice is a 422, and one with a known key says which runs it made", async () => {
    const twice = [1, 2].map(() => ({ input: { steps: 0 }, idempotencyKey: "same" }));
    expect(await batch(twice)).toMatchObject({
      status: 422,
      body: { error: { code: "duplicate_idempotency_key" } },
    });
    const first = await start("count", { input: { steps: 0 } }, { "idempotency-key": "known" });
    const { body } = await batch([{ input: { steps: 0 }, idempotencyKey: "known" }, { input: { steps: 0 } }]);
    expect(body).toMatchObject({ runs: [{ id: idOf(first), created: false }, { created: true }] });
    await world.allReach(
      (body as unknown as { runs: { id: string }[] }).runs.map(({ id }) => id),
      "completed",
    );
  });

  test("takes five hundred runs and no more", async () => {
    const runs = (count: number) => Array.from({ length: count }, () => ({ input: { steps: 0 } }));
    expect(await batch(runs(501))).toMatchObject({ status: 400 });
    expect(await countRuns()).toBe(0);
    const { status, body } = await batch(runs(500));
    expect(status).toBe(201);
    await world.allReach(
      (body as unknown as { runs: { id: string }[] }).runs.map(({ id }) => id),
      "completed",
    );
  });
});

describe("a list of runs", () => {
  test("comes newest first, in pages that join without gap or repeat", async () => {
    const ids = await asleep(
      "count",
      Array.from({ length: 7 }, () => ({ input: { steps: 0 } })),
    );
    const seen: string[] = [];
    let query = "limit=3";
    for (let pages = 1; ; pages++) {
      const page = await list(query);
      seen.push(...idsOf(page));
      if (page.nextCursor === null) {
        expect(pages).toBe(3);
        break;
      }
      query = `limit=3&cursor=${page.nextCursor}`;
    }
    expect(seen).toEqual(ids.reverse());
  });

  test("is filtered by workflow, status, tag, time and input", async () => {
    const [red, blue] = await asleep("count", [
      { input: { steps: 1 }, tags: ["red"] },
      { input: { steps: 2 }, tags: ["blue"] },
    ]);
    const [idle] = await asleep("idle", [{ input: { steps: 3 }, tags: ["red"] }]);
    await world.worker.post(`/api/runs/${blue}/cancel`);
    expect(idsOf(await list("workflow=count"))).toEqual([blue, red]);
    expect(idsOf(await list("status=cancelled"))).toEqual([blue]);
    expect(idsOf(await list("status=ready&status=cancelled&workflow=count"))).toEqual([blue, red]);
    expect(idsOf(await list("tag=red"))).toEqual([idle, red]);
    expect(idsOf(await list("tag=red&workflow=count"))).toEqual([red]);
    expect(idsOf(await list("input.steps=2"))).toEqual([blue]);
    expect(idsOf(await list("tag=green"))).toEqual([]);
    const [{ created_at: at } = { created_at: new Date(0) }] = await world.database.rows<{
      created_at: Date;
    }>("select created_at from pawl.runs where id = $1", [idle]);
    const minute = (by: number) => encodeURIComponent(new Date(at.getTime() + by * 60_000).toISOString());
    expect(idsOf(await list(`createdAfter=${minute(-1)}&createdBefore=${minute(1)}`))).toHaveLength(3);
    expect(idsOf(await list(`createdAfter=${minute(1)}`))).toEqual([]);
    expect(idsOf(await list(`createdBefore=${minute(-1)}`))).toEqual([]);
  });

  test("refuses a filter it does not know and a cursor it did not give", async () => {
    expect(await world.worker.get("/api/runs?worfklow=count")).toMatchObject({ status: 400 });
    expect(await world.worker.get("/api/runs?cursor=bm9wZQ")).toMatchObject({
      status: 400,
      body: { error: { code: "invalid_cursor" } },
    });
  });
});

describe("a run", () => {
  test("shows its state and payloads", async () => {
    const id = await world.start("count", { steps: 2 });
    await world.reaches(id, "completed");
    const { status, body } = await world.worker.get(`/api/runs/${id}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id,
      workflow: "count",
      status: "completed",
      input: { steps: 2 },
      output: 2,
      stepsDone: 2,
      turn: 2,
      lostTurns: 0,
      failure: null,
    });
  });

  test("shows its journal in order, in pages", async () => {
    const id = await world.start("count", { steps: 5 });
    await world.reaches(id, "completed");
    const first = (await world.worker.get(`/api/runs/${id}/journal?limit=3`)).body as unknown as {
      entries: { seq: number }[];
      nextCursor: string;
    };
    const second = (await world.worker.get(`/api/runs/${id}/journal?limit=3&cursor=${first.nextCursor}`))
      .body as unknown as { entries: { seq: number }[]; nextCursor: string | null };
    expect([...first.entries, ...second.entries].map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
    expect(first.entries[0]).toMatchObject({
      kind: "step",
      key: "count",
      outcome: "completed",
      attempt: 1,
      turn: 1,
    });
    expect(second.nextCursor).toBeNull();
  });

  test("that does not exist is a 404 wherever it is named", async () => {
    const gone = { status: 404, body: { error: { code: "run_not_found" } } };
    for (const id of [NOBODY, "nonsense"]) {
      for (const path of ["", "/journal", "/result"]) {
        expect(await world.worker.get(`/api/runs/${id}${path}`)).toMatchObject(gone);
      }
      expect(await world.worker.post(`/api/runs/${id}/cancel`)).toMatchObject(gone);
      expect(await world.worker.post(`/api/dead-letters/${id}/revive`)).toMatchObject(gone);
      expect(await world.worker.post(`/api/dead-letters/${id}/discard`)).toMatchObject(gone);
    }
  });
});

describe("a result", () => {
  test("is answered as soon as the run is over", async () => {
    const door = gate<Effect>();
    world.ledger.onEffect = (effect) => door.pass(effect);
    const id = await world.start("count", { steps: 1 });
    await door.reached;
    const waiting = world.worker.get(`/api/runs/${id}/result?wait=60s`);
    await eventually("it is asked for", () => world.gateway.count("read") > 0);
    door.open();
    expect(await waiting).toMatchObject({
      status: 200,
      body: { status: "completed", output: 1, failure: null },
    });
  });

  test("is answered at once when the run was over before, and not found once it is deleted (F12)", async () => {
    const id = await world.start("count", { steps: 1 });
    await world.reaches(id, "completed");
    const ask = () => world.worker.get(`/api/runs/${id}/result?wait=60s`);
    const before = world.gateway.count("read");
    expect(await ask()).toMatchObject({ status: 200, body: { status: "completed", output: 1 } });
    expect(world.gateway.count("read")).toBe(before + 1);
    await world.database.rows("delete from pawl.runs where id = $1", [id]);
    await world.database.rows("delete from pawl.journal where run_id = $1", [id]);
    expect(await ask()).toMatchObject({ status: 404, body: { error: { code: "run_not_found" } } });
    expect(world.gateway.count("read")).toBe(before + 2);
  });

  test("that is not there yet is a 202 with what is known, after the wait", async () => {
    const [id] = await asleep("count", [{ input: { steps: 1 } }]);
    const response = await world.worker.fetch(`/api/runs/${id}/result`);
    expect(response.status).toBe(202);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(await response.json()).toMatchObject({ status: "ready", output: null });
  });

  test("of a failed run is its failure, at once (F12)", async () => {
    const id = await failedRun();
    const before = world.gateway.count("read");
    expect(await world.worker.get(`/api/runs/${id}/result?wait=10s`)).toMatchObject({
      status: 200,
      body: { status: "failed", output: null, failure: { code: "step_failed", step: "fragile" } },
    });
    // Who waits asks again and again.
    expect(world.gateway.count("read")).toBe(before + 1);
  });
});

describe("cancelling", () => {
  test("ends a run, and once more says so again", async () => {
    const [id] = await asleep("count", [{ input: { steps: 1 } }]);
    for (let i = 0; i < 2; i++) {
      const cancelled = await world.worker.post(`/api/runs/${id}/cancel`);
      expect(cancelled).toMatchObject({ status: 200, body: { status: "cancelled", turn: 1 } });
    }
  });

  test("ends a sleeping run, whose timer goes with it", async () => {
    const id = await world.start("nap", { ms: 3_600_000 });
    await world.reaches(id, "waiting");
    await world.worker.post(`/api/runs/${id}/cancel`);
    expect(await world.database.rows("select * from pawl.timers")).toEqual([]);
    await world.database.moveClock(3_600_001);
    world.broker.hurry();
    await world.worker.tick();
    expect(await world.run(id)).toMatchObject({ status: "cancelled" });
  });

  test("a completed or failed run is a 409", async () => {
    const completed = await world.start("count", { steps: 0 });
    await world.reaches(completed, "completed");
    for (const id of [completed, await failedRun()]) {
      expect(await world.worker.post(`/api/runs/${id}/cancel`)).toMatchObject({
        status: 409,
        body: { error: { code: "wrong_status" } },
      });
    }
  });
});

describe("dead letters", () => {
  const letters = async () => idsOf((await world.worker.get("/api/dead-letters")).body as Page);

  test("list runs that failed, until they are discarded", async () => {
    const id = await failedRun();
    expect(await letters()).toEqual([id]);
    const discarded = await world.worker.post(`/api/dead-letters/${id}/discard`);
    expect(discarded).toMatchObject({
      status: 200,
      body: { status: "failed", discardedAt: expect.any(String) },
    });
    expect(await letters()).toEqual([]);
    expect(idsOf(await list("status=failed"))).toEqual([id]);
  });

  test("are revived with what they have done, discarded ones too", async () => {
    const id = await failedRun();
    await world.worker.post(`/api/dead-letters/${id}/discard`);
    const revived = await world.worker.post(`/api/dead-letters/${id}/revive`);
    expect(revived).toMatchObject({ status: 200, body: { discardedAt: null } });
    expect(await world.reaches(id, "completed")).toMatchObject({ output: "whole" });
    expect(world.ledger.of(id).map(({ step, attempt }) => [step, attempt])).toEqual([
      ["solid", 1],
      ["fragile", 1],
      ["fragile", 2],
    ]);
    expect(await letters()).toEqual([]);
  });

  test("are not made of runs that are well: reviving or discarding one is a 409", async () => {
    const [id] = await asleep("count", [{ input: { steps: 1 } }]);
    for (const verb of ["revive", "discard"]) {
      expect(await world.worker.post(`/api/dead-letters/${id}/${verb}`)).toMatchObject({
        status: 409,
        body: { error: { code: "wrong_status" } },
      });
    }
  });
});

test("workflows are listed with their versions and the JSON Schema of their input", async () => {
  const { workflows } = (await world.worker.get("/api/workflows")).body as unknown as {
    workflows: { name: string; version: number; inputSchema: unknown }[];
  };
  expect(workflows.find(({ name }) => name === "count")).toMatchObject({
    version: 1,
    inputSchema: { type: "object", properties: { steps: { type: "integer" } }, required: ["steps"] },
  });
  expect(workflows.filter(({ name }) => name === "renewed").map(({ version }) => version)).toEqual([2, 1]);
  expect(workflows.find(({ name }) => name === "hold")?.inputSchema).toBeNull();
});

test("health says that the database answers and when the cron last ticked, to anybody", async () => {
  await world.database.rows("truncate pawl.ticks");
  const ask = async () => {
    const response = await world.worker.fetch("/healthz", { headers: { authorization: "" } });
    return { status: response.status, body: await response.json() };
  };
  expect(await ask()).toMatchObject({
    status: 200,
    body: { status: "ok", database: "ok", lastTickAt: null },
  });
  await world.worker.tick();
  await world.database.moveClock(60_000);
  const { body } = await ask();
  const { now, lastTickAt, tickAgeMs } = body as { now: string; lastTickAt: string; tickAgeMs: number };
  expect(tickAgeMs).toBeGreaterThanOrEqual(60_000);
  expect(Date.parse(now) - Date.parse(lastTickAt)).toBe(tickAgeMs);
});
