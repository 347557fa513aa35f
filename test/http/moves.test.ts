import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { defineWorkflow } from "../../src/engine/workflow.ts";
import { createLiveApp, type LiveApp } from "./live.ts";

const undone: string[] = [];

/** Books, and waits until somebody moves it. */
const trip = defineWorkflow({ name: "trip" }, async ({ step, run }) => {
  await step.run("book", () => 1, { compensate: () => void undone.push(run.id) });
  await step.waitForSignal("go");
});
const broken = defineWorkflow({ name: "broken" }, async () => {
  throw new Error("broken");
});

let app: LiveApp;
beforeAll(async () => {
  app = await createLiveApp([trip, broken]);
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
const move = (id: string, verb: string, body: unknown = "") => app.post(`/api/runs/${id}/${verb}`, body);

async function waiting(): Promise<string> {
  const id = await app.start("trip");
  await app.drive(id);
  return id;
}

describe("cancel", () => {
  test("ends the run at once, without a body and with one", async () => {
    for (const body of ["", {}, { compensate: false }]) {
      const id = await waiting();
      expect(await move(id, "cancel", body)).toMatchObject({
        status: 200,
        body: { id, status: "cancelled", phase: "forward", input: null },
      });
      expect(undone).not.toContain(id);
      expect((await move(id, "cancel", body)).status).toBe(200);
    }
  });

  test("with compensate undoes what was done first", async () => {
    const id = await waiting();
    const { status, body } = await move(id, "cancel", { compensate: true });
    expect([status, body]).toMatchObject([200, { status: "ready", phase: "compensating" }]);
    expect((await move(id, "cancel", { compensate: true })).status).toBe(200);
    await app.drive(id);
    expect((await app.get(`/api/runs/${id}`)).body).toMatchObject({ status: "cancelled" });
    expect(undone).toContain(id);
  });

  test.each([
    [{ compensate: "yes" }, 400, "invalid_request"],
    [{ compensat: true }, 400, "invalid_request"],
    ["[", 400, "invalid_json"],
    [[], 400, "invalid_request"],
  ])("%j is refused, and the run goes on", async (body, status, code) => {
    const id = await waiting();
    expect(codeOf(await move(id, "cancel", body))).toEqual([status, code]);
    expect((await app.get(`/api/runs/${id}`)).body).toMatchObject({ status: "waiting" });
  });
});

describe("pause and resume", () => {
  test("a paused run keeps what arrives, and takes it when it is resumed", async () => {
    const id = await waiting();
    expect(await move(id, "pause")).toMatchObject({
      status: 200,
      body: { status: "paused", pausedAt: expect.any(String) },
    });
    expect((await move(id, "pause")).status).toBe(200);
    expect((await move(id, "signals/go")).status).toBe(202);
    await app.drive(id);
    expect((await app.get(`/api/runs/${id}`)).body).toMatchObject({ status: "paused" });
    expect(await move(id, "resume")).toMatchObject({
      status: 200,
      body: { status: "ready", pausedAt: null },
    });
    await app.drive(id);
    expect((await app.get(`/api/runs/${id}`)).body).toMatchObject({ status: "completed" });
  });

  test("take no body but an empty one", async () => {
    const id = await waiting();
    expect((await move(id, "pause", {})).status).toBe(200);
    expect(codeOf(await move(id, "resume", { now: true }))).toEqual([400, "invalid_request"]);
    expect((await move(id, "resume", {})).status).toBe(200);
  });
});

test("from the wrong status each is refused by name, and nothing changes", async () => {
  const failed = await app.start("broken");
  await app.drive(failed);
  const completed = await waiting();
  await move(completed, "signals/go");
  await app.drive(completed);
  const cancelled = await waiting();
  await move(cancelled, "cancel");
  const ready = await app.start("trip");
  const wrong = [
    ...[failed, completed].map((id) => [id, "cancel"] as const),
    ...[failed, completed, cancelled].map((id) => [id, "pause"] as const),
    ...[failed, completed, cancelled, ready].map((id) => [id, "resume"] as const),
    ...[failed, completed, cancelled].map((id) => [id, "signals/go"] as const),
  ];
  const before = await app.database.rows("select * from pawl.runs order by id");
  for (const [id, verb] of wrong) {
    expect([verb, ...codeOf(await move(id, verb))]).toEqual([verb, 409, "wrong_status"]);
  }
  expect(await app.database.rows("select * from pawl.runs order by id")).toEqual(before);
});

test.each(["cancel", "pause", "resume", "signals/go"])(
  "%s of a run that is not there answers 404",
  async (verb) => {
    for (const id of [NOBODY, "nobody"]) expect(codeOf(await move(id, verb))).toEqual([404, "run_not_found"]);
  },
);
