import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

const signal = (id: string, payload: unknown, as?: string) =>
  world.worker.post(`/api/runs/${id}/signals/go`, { payload, ...(as === undefined ? {} : { id: as }) });

const startOrSignal = (key: string, n: number, as = "one") =>
  world.worker.post(
    "/api/workflows/awaiting/runs",
    { input: "same", signal: { name: "go", payload: { n }, id: as } },
    { "idempotency-key": key },
  );

const stepsOf = (id: string) => world.ledger.of(id).map(({ step }) => step);

test("a signal wakes the run that waits for it, and what it brings is journaled", async () => {
  const id = await world.start("awaiting");
  await world.reaches(id, "waiting");
  expect((await signal(id, { n: 7 })).status).toBe(202);
  expect(await world.reaches(id, "completed")).toMatchObject({ output: { version: 2, given: { n: 7 } } });
  expect((await world.journal(id)).map(({ kind, key }) => [kind, key])).toEqual([
    ["step", "before"],
    ["signal", "go"],
    ["step", "after"],
  ]);
  expect(stepsOf(id)).toEqual(["before", "after"]);
});

test("a signal that comes while the turn runs that will wait for it is not slept over (I4, F1)", async () => {
  const held = gate<unknown>();
  world.ledger.onEffect = (effect) => (effect.step === "before" ? held.pass(effect) : undefined);
  const id = await world.start("awaiting");
  await held.reached;
  expect((await signal(id, { n: 1 })).status).toBe(202);
  held.open();
  await world.reaches(id, "completed");
});

test("a signal that the schema refuses fails the run by name, and is not taken twice", async () => {
  const id = await world.start("awaiting");
  await world.reaches(id, "waiting");
  await signal(id, { n: "seven" });
  const { failure } = await world.reaches(id, "failed");
  expect([failure?.code, failure?.cause?.code]).toEqual(["step_failed", "invalid_payload"]);
});

test("a start with a signal runs at once with what it brought", async () => {
  const { status, body } = await startOrSignal("at once", 1);
  const { id } = body as { id: string };
  expect(status).toBe(201);
  expect(await world.reaches(id, "completed")).toMatchObject({ output: { given: { n: 1 } } });
});

test("a start whose run waits already wakes it with its signal", async () => {
  const id = await world.start("awaiting", "same", { version: 2 });
  await world.database.rows("update pawl.runs set idempotency_key = 'known' where id = $1", [id]);
  await world.reaches(id, "waiting");
  expect(await startOrSignal("known", 3)).toMatchObject({ status: 200, body: { id } });
  expect(await world.reaches(id, "completed")).toMatchObject({ output: { given: { n: 3 } } });
});

test("20 starts with a signal at once make one run, which takes one of them and is woken", async () => {
  world.broker.pause();
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => startOrSignal("many", n, `id ${n}`)),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([...Array(19).fill(200), 201]);
  const [id = "", ...others] = new Set(answers.map(({ body }) => (body as { id: string }).id));
  expect(others).toEqual([]);
  expect(await world.database.rows("select from pawl.deliveries where run_id = $1", [id])).toHaveLength(20);
  world.broker.resume();
  await world.reaches(id, "completed");
  expect(stepsOf(id)).toEqual(["before", "after"]);
});

test.each(["before", "after"] as const)(
  "a start with a signal whose request is cut %s the commit can be sent again, and does it once (I9)",
  async (when) => {
    world.broker.pause();
    world.gateway.inject({ on: "start", when, act: () => "cut" });
    expect(await startOrSignal(`cut ${when}`, 1)).toMatchObject({
      status: 503,
      body: { error: { code: "store_unavailable" } },
    });
    const again = await startOrSignal(`cut ${when}`, 1);
    expect(again.status).toBe(when === "before" ? 201 : 200);
    expect(await world.database.rows("select dedupe_id from pawl.deliveries")).toEqual([
      { dedupe_id: "one" },
    ]);
    if (when === "after") await world.expireLeases();
    world.broker.resume();
    await world.reaches((again.body as { id: string }).id, "completed");
  },
);

test("an outage while a signal is sent is a 503, and the same id again arrives once (I9, F10)", async () => {
  const id = await world.start("awaiting");
  await world.reaches(id, "waiting");
  for (const when of ["before", "after"] as const) {
    world.gateway.inject({ on: "signal", when, act: () => "cut" });
    expect((await signal(id, { n: 1 }, "x")).status).toBe(503);
  }
  expect((await signal(id, { n: 1 }, "x")).status).toBe(202);
  expect(await world.database.rows("select from pawl.deliveries")).toHaveLength(1);
  // The wake-up was never sent: the sweep finds the run.
  await world.expireLeases();
  await world.reaches(id, "completed");
});

test("a signal to a run that is not there yet is refused and kept for nobody; one before the wait is taken by it (F3)", async () => {
  const { broker, database } = world;
  broker.pause();
  const nobody = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
  expect(await signal(nobody, { n: 1 })).toMatchObject({ status: 404 });
  expect(await database.rows("select from pawl.deliveries")).toEqual([]);
  const id = await world.start("awaiting");
  expect((await signal(id, { n: 2 })).status).toBe(202);
  expect(await world.run(id)).toMatchObject({ status: "ready", turn: 0 });
  broker.resume();
  expect(await world.reaches(id, "completed")).toMatchObject({ output: { given: { n: 2 } } });
});

test("a signal that was accepted is there, although the worker is killed and its wake-up lost (F10)", async () => {
  const { broker, worker } = world;
  const id = await world.start("awaiting");
  await world.reaches(id, "waiting");
  await worker.idle();
  broker.deliveries = () => 0;
  const sent = broker.sent.length;
  expect((await signal(id, { n: 3 })).status).toBe(202);
  expect(broker.sent).toHaveLength(sent + 1);
  worker.kill();
  await worker.restart();
  expect(await world.run(id)).toMatchObject({ status: "waiting" });
  broker.deliveries = () => 1;
  await world.expireLeases();
  expect(await world.reaches(id, "completed")).toMatchObject({ output: { given: { n: 3 } } });
  expect(stepsOf(id)).toEqual(["before", "after"]);
});
