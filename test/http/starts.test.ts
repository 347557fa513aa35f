import { describe, expect, test } from "vitest";
import type { Store } from "../../src/engine/ports.ts";
import { IdempotencyConflict } from "../../src/engine/refusals.ts";
import type { NewRun } from "../../src/engine/run.ts";
import { appWith, errorOf, NOW, RUN_ID, runWith, started } from "./support.ts";

const ONE = "/api/workflows/echo/runs";
const BATCH = "/api/workflows/echo/runs:batch";

/** An app that keeps what it was asked to start. */
async function starting(startRuns: Store["startRuns"] = async (_tenant, runs) => runs.map(started)) {
  const kept: NewRun[] = [];
  const tenants: string[] = [];
  const app = await appWith({
    store: {
      startRuns: async (tenant, runs) => {
        kept.push(...runs);
        tenants.push(tenant);
        return startRuns(tenant, runs);
      },
    },
  });
  return { ...app, kept, tenants };
}

describe("starting a run", () => {
  test("answers 201 with the run, its id first, and where it is", async () => {
    const { post, kept, tenants } = await starting();
    const response = await post(ONE, { input: { n: 1 } });
    expect(response.status).toBe(201);
    const run = (await response.json()) as Record<string, unknown>;
    expect(Object.keys(run).slice(0, 2)).toEqual(["id", "workflow"]);
    expect(run).toMatchObject({
      workflow: "echo",
      version: 1,
      status: "ready",
      createdAt: "2026-01-31T12:00:00.000Z",
    });
    expect(response.headers.get("location")).toBe(`/api/runs/${run.id}`);
    expect(kept[0]).toMatchObject({
      id: run.id,
      input: { json: { n: 1 }, meta: null },
      idempotencyKey: null,
    });
    expect(tenants).toEqual(["default"]);
  });

  test("hands on what the body says", async () => {
    const { post, kept } = await starting();
    const all = { tags: ["a", "b", "a"], delay: "1h30m", deadline: { days: 1 }, version: 1 };
    expect((await post(ONE, { input: null, ...all }, { "idempotency-key": "order 7" })).status).toBe(201);
    expect(kept[0]).toMatchObject({
      version: 1,
      tags: ["a", "b"],
      idempotencyKey: "order 7",
      delayMs: 5_400_000,
      startAt: null,
      deadlineAt: null,
      deadlineInMs: 86_400_000,
    });
  });

  test.each([
    [{ delay: 1_500 }, { delayMs: 1_500 }],
    [{ delay: 0 }, { delayMs: 0 }],
    [{ startAt: "2026-01-31T12:00:00Z" }, { startAt: NOW, delayMs: null }],
    [{ startAt: "2026-01-31T13:00:00+01:00" }, { startAt: NOW }],
    [{ deadline: "2026-01-31T12:00:00Z" }, { deadlineAt: NOW, deadlineInMs: null }],
    [{ deadline: "90 seconds" }, { deadlineAt: null, deadlineInMs: 90_000 }],
  ])("understands %j", async (fields, expected) => {
    const { post, kept } = await starting();
    expect((await post(ONE, fields)).status).toBe(201);
    expect(kept[0]).toMatchObject(expected);
  });

  test.each([
    [{ delay: "1 second", startAt: "2026-01-31T12:00:00Z" }, "startAt: give either"],
    [{ delay: true }, "delay"],
    [{ delay: null }, "delay"],
    [{ delay: "9".repeat(101) }, "delay"],
    [{ startAt: "tomorrow" }, "startAt"],
    [{ startAt: "2026-01-31T12:00:00" }, "startAt"],
    [{ startAt: NOW }, "startAt"],
    [{ deadline: "2026-13-01T00:00:00Z" }, "deadline"],
    [{ deadline: [] }, "deadline"],
    [{ tags: "vip" }, "tags"],
    [{ tags: [""] }, "tags.0"],
    [{ tags: ["ok", "x".repeat(101)] }, "tags.1"],
    [{ tags: ["\u0000"] }, "tags.0"],
    [{ tags: ["\ud800"] }, "tags.0"],
    [{ tags: Array(21).fill("x") }, "tags"],
    [{ version: 0 }, "version"],
    [{ version: 1.5 }, "version"],
    [{ version: "1" }, "version"],
    [{ inputs: 1 }, "inputs"],
    [{ idempotencyKey: "x" }, "idempotencyKey"],
  ])("%j is refused by name", async (body, named) => {
    const { post, kept } = await starting();
    const refusal = await errorOf(await post(ONE, body));
    expect(refusal).toMatchObject({ status: 400, code: "invalid_request" });
    expect(refusal.message).toContain(named);
    expect(kept).toEqual([]);
  });

  test.each([
    { delay: "soon" },
    { delay: -1 },
    { delay: "100000 weeks" },
    { deadline: "1 month" },
    { delay: {} },
  ])("%j is no duration (E5)", async (body) => {
    const { post } = await starting();
    expect(await errorOf(await post(ONE, body))).toMatchObject({ status: 422, code: "invalid_duration" });
  });

  test("of an unknown workflow or version answers 404", async () => {
    const { post } = await starting();
    for (const name of ["nothing", "__proto__", "constructor", "%00", "Echo"]) {
      const answer = await errorOf(await post(`/api/workflows/${name}/runs`, {}));
      expect(answer).toMatchObject({ status: 404, code: "workflow_not_found" });
    }
    expect((await errorOf(await post(ONE, { version: 9 }))).code).toBe("workflow_not_found");
  });

  test("with an input that does not fit answers 422 and where", async () => {
    const { post } = await starting();
    const refusal = await errorOf(await post("/api/workflows/greet/runs", { input: { name: "" } }));
    expect(refusal).toMatchObject({ status: 422, code: "invalid_input" });
    expect(refusal.message).toContain("name: ");
  });
});

describe("the Idempotency-Key", () => {
  test("that has a run already answers 200 with that run", async () => {
    const run = runWith({ idempotencyKey: "k" });
    const { post } = await starting(async () => [{ run, created: false, wakeInMs: 0 }]);
    const response = await post(ONE, {}, { "idempotency-key": "k" });
    expect(response.status).toBe(200);
    expect(response.headers.get("location")).toBe(`/api/runs/${RUN_ID}`);
    expect(await response.json()).toMatchObject({ id: RUN_ID, status: "completed", idempotencyKey: "k" });
  });

  test("that has a run with another input answers 409", async () => {
    const { post } = await starting(() => Promise.reject(new IdempotencyConflict("k", RUN_ID)));
    const answer = await errorOf(await post(ONE, {}, { "idempotency-key": "k" }));
    expect(answer).toMatchObject({ status: 409, code: "idempotency_conflict" });
  });

  test("may have 200 printable characters", async () => {
    const { post, kept } = await starting();
    const key = "~!".repeat(100);
    expect((await post(ONE, {}, { "idempotency-key": key })).status).toBe(201);
    expect(kept[0]?.idempotencyKey).toBe(key);
  });

  test.each(["", "x".repeat(201), "a\tb", "clé"])("%j is refused rather than ignored", async (key) => {
    const { post, kept } = await starting();
    const refusal = await errorOf(await post(ONE, {}, { "idempotency-key": key }));
    expect(refusal).toMatchObject({ status: 400, code: "invalid_request" });
    expect(refusal.message).toContain("Idempotency-Key");
    expect(kept).toEqual([]);
  });
});

describe("starting a batch", () => {
  const batch = (count: number) => ({ runs: Array.from({ length: count }, (_, input) => ({ input })) });

  test("is one call and answers 201 with each run and if it is new", async () => {
    let calls = 0;
    const { post } = await starting(async (_tenant, runs) => {
      calls++;
      return runs.map((run, i) => ({ ...started(run), created: i !== 1 }));
    });
    const response = await post(BATCH, { runs: [{ input: 1, idempotencyKey: "a" }, { tags: ["x"] }, {}] });
    expect(response.status).toBe(201);
    const { runs } = (await response.json()) as { runs: Record<string, unknown>[] };
    expect(runs.map(({ created }) => created)).toEqual([true, false, true]);
    expect(runs.map(({ idempotencyKey, tags }) => [idempotencyKey, tags])).toEqual([
      ["a", []],
      [null, ["x"]],
      [null, []],
    ]);
    expect(calls).toBe(1);
  });

  test.each(["runs:other", "runs:batches", "xruns:batch", "runs:", "runs%3abatch"])(
    "is not at %s",
    async (verb) => {
      const { post } = await starting();
      expect((await errorOf(await post(`/api/workflows/echo/${verb}`, batch(1)))).code).toBe("not_found");
    },
  );

  test.each([
    [1, 201],
    [500, 201],
    [0, 400],
    [501, 400],
  ])("of %i answers %i", async (count, status) => {
    const { post } = await starting();
    expect((await post(BATCH, batch(count))).status).toBe(status);
  });

  test.each([
    [{}, "runs"],
    [{ runs: {} }, "runs"],
    [{ runs: [null] }, "runs.0"],
    [{ runs: [{}, { idempotencyKey: "" }] }, "runs.1.idempotencyKey"],
    [{ runs: [{}, { idempotencyKey: "a\u0000" }] }, "runs.1.idempotencyKey"],
    [{ runs: [{ id: "x" }] }, "runs.0"],
    [{ runs: [{ delay: 1, startAt: "2026-01-31T12:00:00Z" }] }, "runs.0.startAt"],
    [{ runs: [], input: 1 }, "input"],
  ])("%j is refused by name", async (body, named) => {
    const { post, kept } = await starting();
    const refusal = await errorOf(await post(BATCH, body));
    expect(refusal).toMatchObject({ status: 400, code: "invalid_request" });
    expect(refusal.message).toContain(named);
    expect(kept).toEqual([]);
  });

  test("names the same key twice: 422, and nothing starts", async () => {
    const { post, kept } = await starting();
    const answer = await errorOf(
      await post(BATCH, { runs: [{ idempotencyKey: "a" }, { idempotencyKey: "a" }] }),
    );
    expect(answer).toMatchObject({ status: 422, code: "duplicate_idempotency_key" });
    expect(kept).toEqual([]);
  });

  test("one input that does not fit starts nothing", async () => {
    const { post, kept } = await starting();
    const runs = [{ input: { name: "Ada" } }, { input: {} }];
    expect((await post("/api/workflows/greet/runs:batch", { runs })).status).toBe(422);
    expect(kept).toEqual([]);
  });

  test("a header that it would have to ignore is refused", async () => {
    const { post, kept } = await starting();
    const answer = await errorOf(await post(BATCH, batch(1), { "idempotency-key": "k" }));
    expect(answer).toMatchObject({ status: 400, code: "invalid_request" });
    expect(kept).toEqual([]);
  });
});
