import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { defineWorkflow } from "../../src/engine/workflow.ts";
import { createLiveApp, type LiveApp } from "./live.ts";

/** Waits for two signals of one name, then for a third of another. */
const listen = defineWorkflow({ name: "listen" }, async ({ step }) => [
  await step.waitForSignal("paid"),
  await step.waitForSignal("paid again", { signal: "paid" }),
  await step.waitForSignal("shipped"),
]);
const charge = defineWorkflow({ name: "charge" }, async ({ step }) =>
  step.run("charge", () => "charged", { atMostOnce: true }),
);

let app: LiveApp;
beforeAll(async () => {
  app = await createLiveApp([listen, charge]);
});
afterEach(async () => {
  expect(await app.database.rows("select * from pawl.stuck_runs")).toEqual([]);
});
afterAll(() => app?.stop());

const NOBODY = "01K7Z3QX5V8M2N4P6R8T0W1Y3A";
const codeOf = ({ status, body }: { status: number; body: unknown }) => [
  status,
  (body as { error?: { code: string } }).error?.code,
];
const outputOf = async (id: string) =>
  (
    await app.database.rows<{ status: string; output: unknown }>("select * from pawl.runs where id = $1", [
      id,
    ])
  )[0];
const kept = (id: string) =>
  app.database.rows<{ name: string; dedupe_id: string | null; payload: unknown }>(
    "select name, dedupe_id, payload from pawl.deliveries where run_id = $1 order by id",
    [id],
  );

describe("a signal", () => {
  test("is accepted, and kept until the run waits for it, in the order of arrival", async () => {
    const id = await app.start("listen");
    const paid = `/api/runs/${id}/signals/paid`;
    expect(await app.post(paid, { payload: { n: 1 } })).toEqual({
      status: 202,
      body: { id, signal: "paid", accepted: true },
    });
    await app.post(`/api/runs/${id}/signals/shipped`, { payload: [3] });
    await app.post(paid, { payload: 2 });
    await app.drive(id);
    expect(await outputOf(id)).toMatchObject({ status: "completed", output: [{ n: 1 }, 2, [3]] });
  });

  test("makes a run that waits for it due", async () => {
    const id = await app.start("listen");
    await app.drive(id);
    await app.post(`/api/runs/${id}/signals/paid`, { payload: 1 });
    expect((await app.get(`/api/runs/${id}`)).body).toMatchObject({
      status: "waiting",
      wakeAt: expect.any(String),
    });
  });

  test("without a body arrives as undefined", async () => {
    const id = await app.start("listen");
    for (const name of ["paid", "paid", "shipped"]) {
      const answer = await app.post(`/api/runs/${id}/signals/${name}`, "");
      expect(answer.status).toBe(202);
    }
    await app.drive(id);
    expect((await outputOf(id))?.status).toBe("completed");
  });

  test("with the same id again is accepted and ignored, also once it was taken", async () => {
    const id = await app.start("listen");
    const send = (payload: unknown, as: string) =>
      app.post(`/api/runs/${id}/signals/paid`, { payload, id: as });
    for (const payload of ["first", "again"]) expect((await send(payload, "a")).status).toBe(202);
    await app.drive(id);
    expect((await send("later", "a")).status).toBe(202);
    await send("second", "b");
    await app.post(`/api/runs/${id}/signals/shipped`, { payload: null });
    await app.drive(id);
    expect((await outputOf(id))?.output).toEqual(["first", "second", null]);
  });

  test("for a run that is not there answers 404", async () => {
    expect(codeOf(await app.post(`/api/runs/${NOBODY}/signals/paid`))).toEqual([404, "run_not_found"]);
    expect(codeOf(await app.post("/api/runs/nobody/signals/paid"))).toEqual([404, "run_not_found"]);
  });

  test("for a run that is over answers 409, and is not kept", async () => {
    const id = await app.start("listen");
    await app.post(`/api/runs/${id}/cancel`);
    expect(codeOf(await app.post(`/api/runs/${id}/signals/paid`))).toEqual([409, "wrong_status"]);
    expect(await kept(id)).toEqual([]);
  });

  test("for a dead run is kept: it may be revived", async () => {
    const id = await app.start("listen");
    await app.database.rows("update pawl.runs set workflow = 'gone' where id = $1", [id]);
    await app.drive(id);
    expect((await app.post(`/api/runs/${id}/signals/paid`, { payload: 1 })).status).toBe(202);
    await app.database.rows("update pawl.runs set workflow = 'listen' where id = $1", [id]);
    await app.post(`/api/dead-letters/${id}/revive`);
    await app.drive(id);
    expect((await app.get(`/api/runs/${id}`)).body).toMatchObject({ currentStep: "paid again" });
  });

  test.each([
    ["of 101 characters", "x".repeat(101)],
    ['with "#", which is a hook\'s', "invoice%23hook"],
    ["with U+0000", "a%00"],
  ])("that has a name %s answers 400", async (_what, name) => {
    const id = await app.start("listen");
    expect(codeOf(await app.post(`/api/runs/${id}/signals/${name}`))).toEqual([400, "invalid_signal_name"]);
    expect(await kept(id)).toEqual([]);
  });

  test("may have any other name of 1 to 100 characters", async () => {
    const id = await app.start("listen");
    for (const name of ["x".repeat(100), "order/7 ☃", "a.b", "%"]) {
      const answer = await app.post(`/api/runs/${id}/signals/${encodeURIComponent(name)}`);
      expect(answer.body).toEqual({ id, signal: name, accepted: true });
    }
  });

  test.each([
    [{ payload: 1, extra: 1 }, 400, "invalid_request"],
    [{ id: "" }, 400, "invalid_request"],
    [{ id: "x".repeat(201) }, 400, "invalid_request"],
    [{ payload: "x".repeat(1_000_000) }, 413, "body_too_large"],
    [{ payload: "a\u0000" }, 422, "unstorable_value"],
    ["[", 400, "invalid_json"],
  ])("%#: what it cannot be is refused by name", async (body, status, code) => {
    const id = await app.start("listen");
    expect(codeOf(await app.post(`/api/runs/${id}/signals/paid`, body))).toEqual([status, code]);
    expect(await kept(id)).toEqual([]);
  });
});

describe("a start with a signal", () => {
  let keys = 0;
  const newKey = () => `key ${++keys}`;
  const send = (key: string, signal: object, input: unknown = 1) =>
    app.post("/api/workflows/listen/runs", { input, signal }, { "idempotency-key": key });

  test("starts the run, and the signal is there when it waits", async () => {
    const { status, body } = await send(newKey(), { name: "paid", payload: "early" });
    const { id } = body as { id: string };
    expect(status).toBe(201);
    await app.drive(id);
    expect((await app.get(`/api/runs/${id}`)).body).toMatchObject({ currentStep: "paid again" });
  });

  test("finds the run that its key has, and delivers to that one", async () => {
    const key = newKey();
    const first = await send(key, { name: "paid", payload: 1 });
    const { id } = first.body as { id: string };
    await app.drive(id);
    const second = await send(key, { name: "paid", payload: 2 });
    expect(second).toMatchObject({
      status: 200,
      body: { id, status: "waiting", wakeAt: expect.any(String) },
    });
    await send(key, { name: "shipped" });
    await app.drive(id);
    expect((await outputOf(id))?.status).toBe("completed");
  });

  test("needs an idempotency key", async () => {
    const answer = await app.post("/api/workflows/listen/runs", { signal: { name: "paid" } });
    expect(codeOf(answer)).toEqual([400, "invalid_request"]);
  });

  test("delivers nothing to a run that is over, and says so", async () => {
    const key = newKey();
    const { id } = (await send(key, { name: "paid" })).body as { id: string };
    await app.post(`/api/runs/${id}/cancel`);
    expect(codeOf(await send(key, { name: "paid" }))).toEqual([409, "wrong_status"]);
    expect(await kept(id)).toEqual([]);
  });

  test("with another input delivers nothing either", async () => {
    const key = newKey();
    const { id } = (await send(key, { name: "paid" })).body as { id: string };
    expect(codeOf(await send(key, { name: "paid" }, 2))).toEqual([409, "idempotency_conflict"]);
    expect(await kept(id)).toHaveLength(1);
  });

  test.each([
    [{ name: "a#hook" }, 400, "invalid_signal_name"],
    [{ name: "" }, 400, "invalid_signal_name"],
    [{}, 400, "invalid_request"],
    [{ name: "paid", more: 1 }, 400, "invalid_request"],
    [{ name: "paid", payload: "\u0000" }, 422, "unstorable_value"],
  ])("%j starts nothing", async (signal, status, code) => {
    const key = newKey();
    expect(codeOf(await send(key, signal))).toEqual([status, code]);
    expect(await app.database.rows("select from pawl.runs where idempotency_key = $1", [key])).toEqual([]);
  });

  test("a batch takes no signals", async () => {
    const runs = [{ idempotencyKey: newKey(), signal: { name: "paid" } }];
    expect(codeOf(await app.post("/api/workflows/listen/runs:batch", { runs }))).toEqual([
      400,
      "invalid_request",
    ]);
  });

  test.each([
    ["of 20 ids leave 20 signals", (i: number) => `id ${i}`, 20],
    ["of one id leave one signal", () => "one", 1],
  ])("20 at once under one key make one run, and %s", async (_what, idOf, signals) => {
    const key = newKey();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => send(key, { name: "paid", payload: i, id: idOf(i) })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(19).fill(200), 201]);
    const [id = "", ...others] = new Set(answers.map(({ body }) => (body as { id: string }).id));
    expect(others).toEqual([]);
    expect(await kept(id)).toHaveLength(signals);
    const [run] = await app.database.rows("select deliveries from pawl.runs where id = $1", [id]);
    expect(run).toEqual({ deliveries: signals });
  });
});

describe("a person's word on a step that was cut off", () => {
  /** A run whose only step began and was lost, so that nobody knows whether it did its work. */
  async function cutOff(): Promise<string> {
    const id = await app.start("charge");
    const { store } = app.database;
    const run = { tenant: "default", runId: id };
    await app.turn(id);
    const [branch] = (await store.claimBranches([{ ...run, key: "charge" }], 1_000)).claimed;
    await store.startBranch({ ...run, key: "charge" }, branch?.branchTurn ?? 0);
    await app.database.moveClock(60_000);
    await store.reclaimBranches(10, 8);
    await app.drive(id);
    return id;
  }
  const resolve = (id: string, body: object, key = "charge") =>
    app.post(`/api/runs/${id}/steps/${key}/resolve`, body);

  test("is asked for where everybody can find it", async () => {
    const id = await cutOff();
    const listed = (await app.get("/api/runs?waitingFor=person")).body as { runs: { id: string }[] };
    expect(listed.runs.map((run) => run.id)).toContain(id);
    expect((await app.get(`/api/runs/${id}`)).body).toMatchObject({
      waits: [{ key: "charge", kind: "person", name: "charge", begunAt: expect.any(String), dueAt: null }],
      branches: [],
    });
  });

  test("done settles the step with what it gave", async () => {
    const id = await cutOff();
    expect(await resolve(id, { outcome: "done", output: { receipt: 7 } })).toEqual({
      status: 202,
      body: { id, step: "charge", accepted: true },
    });
    expect(codeOf(await resolve(id, { outcome: "again" }))).toEqual([409, "not_awaited"]);
    await app.drive(id);
    expect(await outputOf(id)).toMatchObject({ status: "completed", output: { receipt: 7 } });
  });

  test("again has it done again", async () => {
    const id = await cutOff();
    expect((await resolve(id, { outcome: "again" })).status).toBe(202);
    await app.drive(id);
    expect(await outputOf(id)).toMatchObject({ status: "completed", output: "charged" });
  });

  test("is refused where nobody waits for it", async () => {
    const id = await cutOff();
    const done = { outcome: "done" };
    expect(codeOf(await resolve(id, done, "other%2Fstep%232"))).toEqual([409, "not_awaited"]);
    expect(codeOf(await resolve(id, done, "%00"))).toEqual([409, "not_awaited"]);
    expect(codeOf(await resolve(NOBODY, done))).toEqual([404, "run_not_found"]);
    expect(codeOf(await resolve(id, { outcome: "maybe" }))).toEqual([400, "invalid_request"]);
    expect(codeOf(await resolve(id, { outcome: "again", output: 1 }))).toEqual([400, "invalid_request"]);
    expect(codeOf(await resolve(id, {}))).toEqual([400, "invalid_request"]);
  });
});
