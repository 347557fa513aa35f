import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { StepFailed } from "../../src/engine/errors.ts";
import { defineWorkflow, Registry } from "../../src/engine/workflow.ts";
import { createLiveApp, type LiveApp } from "./live.ts";

/** Every body that was run, as `run: step`. */
const performed: string[] = [];
/** Steps that fail, by name, and how often. */
const failing = new Map<string, number>();

const work = (runId: string, name: string, gives: unknown = name) => {
  performed.push(`${runId} ${name}`);
  const left = failing.get(name) ?? 0;
  if (left > 0) {
    failing.set(name, left - 1);
    throw new Error(`${name} fails`);
  }
  return gives;
};

const once = { retry: { maxAttempts: 1 } };

/** Three steps in a row; what each gives holds the input. */
const row = defineWorkflow(
  { name: "row", input: z.object({ n: z.number() }) },
  async ({ input, step, run }) => {
    const did = [];
    for (const name of ["a", "b", "c"]) {
      did.push(await step.run(name, () => work(run.id, name, `${name}${input.n}`), once));
    }
    return did;
  },
);
/** The same in version 2, which has another first step. */
const shifted = defineWorkflow({ name: "row", version: 2 }, async ({ step, run }) => {
  await step.run("first", () => work(run.id, "first"));
  await step.run("b", () => work(run.id, "b"));
});
/** Two steps side by side and one after them. */
const pair = defineWorkflow({ name: "pair" }, async ({ step, run }) => {
  const both = await Promise.all(
    ["left", "right"].map((name) =>
      step.run(name, () => work(run.id, name), { retry: { maxAttempts: 3, delay: 0 } }),
    ),
  );
  return [...both, await step.run("last", () => work(run.id, "last"), once)];
});
const items = defineWorkflow({ name: "items" }, async ({ step, run }) => {
  await step.run("before", () => work(run.id, "before"));
  return step.map("items", [0, 1, 2], (item) => work(run.id, `item ${item}`, item));
});
/** Books two things and fails, so that both are undone. */
const trip = defineWorkflow({ name: "trip" }, async ({ step, run }) => {
  await step.run("plan", () => work(run.id, "plan"));
  for (const what of ["hotel", "flight"]) {
    await step.run(what, () => work(run.id, what), {
      ...once,
      compensate: () => work(run.id, `undo ${what}`),
    });
  }
  await step.run("confirm", () => work(run.id, "confirm"), once);
  return "booked";
});
/** Catches what fails, and goes on. */
const lenient = defineWorkflow({ name: "lenient" }, async ({ step, run }) => {
  try {
    await step.run("risky", () => work(run.id, "risky"), once);
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
  }
  await step.run("then", () => work(run.id, "then"));
  await step.run("last", () => work(run.id, "last"), once);
  return "done";
});
/** Has ties to others before its last step. */
const tied = defineWorkflow({ name: "tied" }, async ({ step, run }) => {
  await run.join("readers");
  await run.join("writers");
  await run.leave("writers");
  await step.subscribe("news");
  const hook = await step.hook("callback", { expires: "2 days" });
  await step.run("last", () => work(run.id, "last"));
  return hook.received();
});

let app: LiveApp;
beforeAll(async () => {
  app = await createLiveApp([row, pair, items, trip, lenient, tied]);
});
afterEach(async () => {
  performed.length = 0;
  failing.clear();
  (app.runtime as { registry: Registry }).registry = new Registry([row, pair, items, trip, lenient, tied]);
  expect(await app.database.rows("select * from pawl.stuck_runs")).toEqual([]);
});
afterAll(() => app?.stop());

interface Shown {
  readonly id: string;
  readonly status: string;
  readonly version: number;
  readonly forkedFrom: string | null;
  readonly failure: { readonly code: string; readonly message: string } | null;
  readonly output: unknown;
}

const NOBODY = "01K7Z3QX5V8M2N4P6R8T0W1Y3A";
const codeOf = ({ status, body }: { status: number; body: unknown }) => [
  status,
  (body as { error?: { code: string } }).error?.code,
];
const show = async (id: string) => (await app.get(`/api/runs/${id}`)).body as Shown;
const stepsOf = (id: string) =>
  performed.filter((line) => line.startsWith(id)).map((line) => line.slice(id.length + 1));
const journalOf = (id: string) =>
  app.database.rows<{ seq: number; key: string; outcome: string; attempt: number; turn: number }>(
    "select seq, key, outcome, attempt, turn from pawl.journal where run_id = $1 order by seq",
    [id],
  );
const keysOf = async (id: string) => (await journalOf(id)).map(({ key }) => key);

async function finished(workflow: string, body: object = {}): Promise<string> {
  const id = await app.start(workflow, body);
  await app.drive(id);
  return id;
}

async function forked(path: string, body: object = {}, headers: Record<string, string> = {}): Promise<Shown> {
  const { status, body: run } = await app.post(path, body, headers);
  expect([status, run]).toMatchObject([201, { status: "ready" }]);
  return run as Shown;
}

describe("rerun", () => {
  test("starts a run of the same workflow, version, input and tags, which does everything again", async () => {
    const id = await finished("row", { input: { n: 1 }, tags: ["vip"], deadline: "1 hour" });
    const before = await show(id);
    const run = await forked(`/api/runs/${id}/rerun`);
    expect(run).toMatchObject({
      workflow: "row",
      version: 1,
      tags: ["vip"],
      forkedFrom: id,
      deadlineAt: null,
      parentId: null,
      idempotencyKey: null,
      stepsDone: 0,
    });
    await app.drive(run.id);
    expect(await show(run.id)).toMatchObject({ status: "completed", output: ["a1", "b1", "c1"] });
    expect(stepsOf(run.id)).toEqual(["a", "b", "c"]);
    expect(await show(id)).toEqual(before);
  });

  test("without a body is fine", async () => {
    const id = await finished("row", { input: { n: 1 } });
    expect((await app.post(`/api/runs/${id}/rerun`, "")).status).toBe(201);
  });

  test("takes a new input, checked by the schema", async () => {
    const id = await finished("row", { input: { n: 1 } });
    const run = await forked(`/api/runs/${id}/rerun`, { input: { n: 2 } });
    await app.drive(run.id);
    expect((await show(run.id)).output).toEqual(["a2", "b2", "c2"]);
    const refused = await app.post(`/api/runs/${id}/rerun`, { input: { n: "two" } });
    expect(codeOf(refused)).toEqual([422, "invalid_input"]);
  });

  test("from a step reuses what came before it, also with a new input", async () => {
    const id = await finished("row", { input: { n: 1 } });
    const run = await forked(`/api/runs/${id}/rerun`, { from: "b", input: { n: 2 } });
    expect(run).toMatchObject({ stepsDone: 1 });
    await app.drive(run.id);
    expect((await show(run.id)).output).toEqual(["a1", "b2", "c2"]);
    expect(stepsOf(run.id)).toEqual(["b", "c"]);
  });

  test("under an idempotency key makes one run, however often it is asked for", async () => {
    const id = await finished("row", { input: { n: 1 } });
    const headers = { "idempotency-key": `rerun ${id}` };
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => app.post(`/api/runs/${id}/rerun`, { from: "b" }, headers)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(9).fill(200), 201]);
    const [made = "", ...others] = new Set(answers.map(({ body }) => (body as Shown).id));
    expect([others, await keysOf(made)]).toEqual([[], ["a"]]);
    const other = await app.post(`/api/runs/${id}/rerun`, { input: { n: 3 } }, headers);
    expect(codeOf(other)).toEqual([409, "idempotency_conflict"]);
    const another = await finished("row", { input: { n: 1 } });
    const taken = await app.post(`/api/runs/${another}/rerun`, {}, headers);
    expect(codeOf(taken)).toEqual([409, "idempotency_conflict"]);
  });

  test("of a version that is gone takes the newest", async () => {
    const id = await finished("row", { input: { n: 1 } });
    (app.runtime as { registry: Registry }).registry = new Registry([shifted]);
    expect(await forked(`/api/runs/${id}/rerun`)).toMatchObject({ version: 2 });
    (app.runtime as { registry: Registry }).registry = new Registry([row, shifted]);
    expect(await forked(`/api/runs/${id}/rerun`)).toMatchObject({ version: 1 });
  });

  test("of a workflow that is gone answers 404", async () => {
    const id = await finished("row", { input: { n: 1 } });
    (app.runtime as { registry: Registry }).registry = new Registry([pair]);
    expect(codeOf(await app.post(`/api/runs/${id}/rerun`))).toEqual([404, "workflow_not_found"]);
  });
});

describe("fork", () => {
  test("begins at the step: its journal is that of the old run up to there", async () => {
    const id = await finished("row", { input: { n: 1 } });
    const run = await forked(`/api/runs/${id}/fork`, { from: "c" });
    expect(await journalOf(run.id)).toEqual([
      { seq: 1, key: "a", outcome: "completed", attempt: 1, turn: 0 },
      { seq: 2, key: "b", outcome: "completed", attempt: 1, turn: 0 },
    ]);
    await app.drive(run.id);
    expect(stepsOf(run.id)).toEqual(["c"]);
    expect(await journalOf(run.id)).toHaveLength(3);
  });

  test.each(["ready", "running", "waiting", "paused", "completed", "cancelled", "failed", "dead"])(
    "is possible from a %s run, which is not touched",
    async (status) => {
      const id = await finished("row", { input: { n: 1 } });
      const failure = JSON.stringify({ code: "error", name: "Error", message: "x" });
      await app.database.rows(
        `update pawl.runs set status = $2, output = null,
           finished_at = case when $2 in ('completed', 'cancelled', 'failed', 'dead') then pawl.clock() end,
           failure = case when $2 in ('failed', 'dead') then $3::jsonb end,
           wake_at = case when $2 in ('ready', 'waiting') then pawl.clock() end,
           lease_expires_at = case when $2 = 'running' then pawl.clock() end,
           paused_at = case when $2 = 'paused' then pawl.clock() end
         where id = $1`,
        [id, status, failure],
      );
      const before = await app.database.rows("select * from pawl.runs where id = $1", [id]);
      await forked(`/api/runs/${id}/fork`, { from: "b" });
      expect(await app.database.rows("select * from pawl.runs where id = $1", [id])).toEqual(before);
    },
  );

  test("of a failed run has the failed step done anew", async () => {
    failing.set("b", 1);
    const id = await finished("row", { input: { n: 1 } });
    expect((await show(id)).status).toBe("failed");
    const run = await forked(`/api/runs/${id}/fork`, { from: "b" });
    await app.drive(run.id);
    expect(await show(run.id)).toMatchObject({ status: "completed", output: ["a1", "b1", "c1"] });
    expect(stepsOf(run.id)).toEqual(["b", "c"]);
  });

  test("leaves out attempts that settled nothing before the step, and keeps those of settled steps", async () => {
    failing.set("left", 1);
    failing.set("right", 2);
    failing.set("last", 1);
    const id = await finished("pair");
    const old = await journalOf(id);
    const whole = await forked(`/api/runs/${id}/fork`, { from: "last" });
    expect(await journalOf(whole.id)).toEqual(old.slice(0, -1).map((entry) => ({ ...entry, turn: 0 })));
    const [first] = old.filter(({ outcome }) => outcome === "completed");
    const other = first?.key === "left" ? "right" : "left";
    const run = await forked(`/api/runs/${id}/fork`, { from: other });
    const before = old.slice(
      0,
      old.findIndex(({ key }) => key === other),
    );
    const settled = before.filter(({ key }) =>
      before.some((e) => e.key === key && e.outcome === "completed"),
    );
    expect(await keysOf(run.id)).toEqual(settled.map(({ key }) => key));
    await app.drive(whole.id, run.id);
    for (const { id } of [whole, run]) {
      expect(await show(id)).toMatchObject({ status: "completed", output: ["left", "right", "last"] });
    }
  });

  test("a failure that a revive forgave is not taken over, one that the workflow caught is", async () => {
    failing.set("risky", 1);
    failing.set("last", 1);
    const id = await finished("lenient");
    await app.post(`/api/dead-letters/${id}/revive`);
    failing.set("last", 1);
    await app.drive(id);
    await app.post(`/api/dead-letters/${id}/revive`);
    await app.drive(id);
    expect((await show(id)).status).toBe("completed");
    const run = await forked(`/api/runs/${id}/fork`, { from: "last" });
    expect((await journalOf(run.id)).map(({ key, outcome }) => [key, outcome])).toEqual([
      ["risky", "failed"],
      ["then", "completed"],
    ]);
    await app.drive(run.id);
    expect(await show(run.id)).toMatchObject({ status: "completed", output: "done" });
  });

  test("a forgiven step before the step to begin at is reused as it ended", async () => {
    failing.set("a", 1);
    const id = await finished("row", { input: { n: 1 } });
    await app.post(`/api/dead-letters/${id}/revive`);
    await app.drive(id);
    const run = await forked(`/api/runs/${id}/fork`, { from: "b" });
    expect(await journalOf(run.id)).toMatchObject([{ seq: 1, key: "a", outcome: "completed", attempt: 2 }]);
    await app.drive(run.id);
    expect(await show(run.id)).toMatchObject({ status: "completed", output: ["a1", "b1", "c1"] });
  });

  test("what was undone is done again: the run begins before the first of it", async () => {
    failing.set("confirm", 1);
    const id = await finished("trip");
    expect(stepsOf(id)).toEqual(["plan", "hotel", "flight", "confirm", "undo flight", "undo hotel"]);
    const run = await forked(`/api/runs/${id}/fork`, { from: "confirm" });
    expect(await keysOf(run.id)).toEqual(["plan"]);
    await app.drive(run.id);
    expect(stepsOf(run.id)).toEqual(["hotel", "flight", "confirm"]);
    expect((await show(run.id)).status).toBe("completed");
    const compensation = await app.post(`/api/runs/${id}/fork`, { from: "hotel#compensation" });
    expect(codeOf(compensation)).toEqual([422, "unknown_step"]);
  });

  test("may begin at a map, or at one of its items", async () => {
    const id = await finished("items");
    const run = await forked(`/api/runs/${id}/fork`, { from: "items" });
    expect(await keysOf(run.id)).toEqual(["before"]);
    const from = (await keysOf(id)).at(-1) ?? "";
    const late = await forked(`/api/runs/${id}/fork`, { from });
    expect(await keysOf(late.id)).toHaveLength(3);
    await app.drive(run.id, late.id);
    expect([stepsOf(run.id).length, stepsOf(late.id).length]).toEqual([3, 1]);
    expect((await show(late.id)).output).toEqual([0, 1, 2]);
  });

  test("has the ties to others that were made before the step", async () => {
    const id = await finished("tied");
    const run = await forked(`/api/runs/${id}/fork`, { from: "last" });
    const of = (table: string, column: string, runId: string) =>
      app.database.rows(`select ${column} from pawl.${table} where run_id = $1`, [runId]);
    expect(await of("run_groups", "name", run.id)).toEqual([{ name: "readers" }]);
    expect(await of("subscriptions", "channel", run.id)).toEqual([{ channel: "news" }]);
    expect(await of("hooks", "digest", run.id)).toEqual([{ digest: `${run.id}/callback` }]);
    const [lasts] = await app.database.rows<{ days: string }>(
      "select round(extract(epoch from expires_at - pawl.clock()) / 86400) as days from pawl.hooks where run_id = $1",
      [run.id],
    );
    expect(lasts).toEqual({ days: "2" });
  });

  test("under another version whose code does not fit is dead, with both sides named", async () => {
    (app.runtime as { registry: Registry }).registry = new Registry([row, shifted]);
    const id = await finished("row", { version: 1, input: { n: 1 } });
    const run = await forked(`/api/runs/${id}/fork`, { from: "b", version: 2 });
    expect(run.version).toBe(2);
    await app.drive(run.id);
    const { status, failure } = await show(run.id);
    expect([status, failure?.code]).toEqual(["dead", "journal_mismatch"]);
    expect(failure?.message).toContain('holds step "a"');
    expect(failure?.message).toContain('asks for "first"');
    const none = await app.post(`/api/runs/${id}/fork`, { from: "b", version: 7 });
    expect(codeOf(none)).toEqual([404, "workflow_not_found"]);
  });

  test("from a step that the journal does not know makes no run", async () => {
    const id = await finished("row", { input: { n: 1 } });
    const before = await app.database.rows("select id from pawl.runs");
    for (const from of ["d", "a#2", "A", "a%"]) {
      expect(codeOf(await app.post(`/api/runs/${id}/fork`, { from }))).toEqual([422, "unknown_step"]);
    }
    expect(await app.database.rows("select id from pawl.runs")).toEqual(before);
  });

  test.each([
    ["fork", {}, 400, "invalid_request"],
    ["fork", { from: "" }, 400, "invalid_request"],
    ["fork", { from: "a\u0000" }, 400, "invalid_request"],
    ["fork", { from: "b", input: 1 }, 400, "invalid_request"],
    ["fork", { from: "b", version: 0 }, 400, "invalid_request"],
    ["rerun", { form: "b" }, 400, "invalid_request"],
  ])("%s %j is refused", async (verb, body, status, code) => {
    const id = await finished("row", { input: { n: 1 } });
    expect(codeOf(await app.post(`/api/runs/${id}/${verb}`, body))).toEqual([status, code]);
  });

  test.each(["rerun", "fork"])("%s of a run that is not there answers 404", async (verb) => {
    const answer = await app.post(`/api/runs/${NOBODY}/${verb}`, { from: "b" });
    expect(codeOf(answer)).toEqual([404, "run_not_found"]);
  });
});
