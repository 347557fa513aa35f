import { hc } from "hono/client";
import { describe, expect, test } from "vitest";
import type { DiscardResult, Moved, ReviveResult } from "../../src/engine/ports.ts";
import type { RunRef } from "../../src/engine/run.ts";
import { defineWorkflow, Registry } from "../../src/engine/workflow.ts";
import type { Api } from "../../src/http/app.ts";
import { appWith, errorOf, greet, lineWith, NOW, plain, RUN_ID, runWith, serve } from "./support.ts";

const failure = {
  code: "error",
  name: "Error",
  message: "card declined",
  stack: "Error: card declined\n    at charge",
  step: "charge card",
};

describe("a run", () => {
  test("is shown with its payloads", async () => {
    const run = runWith({
      status: "failed",
      failure,
      output: null,
      wakeAt: NOW,
      input: plain({ n: [1, null] }),
      phase: "compensating",
      failedCompensations: 2,
      parent: { runId: "01K7Z3QX5V8M2N4P6R8T0W1Y2B", key: "ask" },
    });
    const { call } = await appWith({ reads: { run: async () => run } });
    expect(await (await call(`/api/runs/${RUN_ID}`)).json()).toEqual({
      id: RUN_ID,
      workflow: "echo",
      version: 1,
      status: "failed",
      createdAt: "2026-01-31T12:00:00.000Z",
      startedAt: "2026-01-31T12:00:00.005Z",
      finishedAt: "2026-01-31T12:00:01.000Z",
      wakeAt: "2026-01-31T12:00:00.000Z",
      deadlineAt: null,
      discardedAt: null,
      leaseExpiresAt: null,
      currentStep: null,
      stepsDone: 2,
      turn: 3,
      lostTurns: 0,
      tags: ["vip"],
      idempotencyKey: null,
      failure,
      phase: "compensating",
      failedCompensations: 2,
      pausedAt: null,
      parentId: "01K7Z3QX5V8M2N4P6R8T0W1Y2B",
      continuedFrom: null,
      deployment: null,
      continuedTo: null,
      forkedFrom: null,
      turnBegunAt: null,
      sleeps: [],
      waits: [],
      branches: [],
      input: { n: [1, null] },
      output: null,
    });
  });

  test("shows what JSON alone cannot say beside its payloads", async () => {
    const input = { json: { at: "2026-01-31T12:00:00.000Z" }, meta: { values: { at: ["Date"] } } };
    const { call } = await appWith({ reads: { run: async () => runWith({ input, output: input }) } });
    const shown = await (await call(`/api/runs/${RUN_ID}`)).json();
    expect(shown).toMatchObject({
      input: input.json,
      inputMeta: input.meta,
      output: input.json,
      outputMeta: input.meta,
    });
  });

  test("shows its journal with stack traces", async () => {
    const lines = [
      lineWith({ outcome: "retrying", output: null, failure, retryAt: NOW + 50 }),
      lineWith({ seq: 2, attempt: 2 }),
    ];
    const { call } = await appWith({ reads: { journal: async () => lines } });
    const { entries } = (await (await call(`/api/runs/${RUN_ID}/journal`)).json()) as { entries: unknown[] };
    expect(entries[0]).toEqual({
      seq: 1,
      kind: "step",
      key: "charge card",
      outcome: "retrying",
      attempt: 1,
      turn: 1,
      output: null,
      failure,
      startedAt: "2026-01-31T12:00:00.000Z",
      recordedAt: "2026-01-31T12:00:00.020Z",
      retryAt: "2026-01-31T12:00:00.050Z",
    });
    expect(entries[1]).toMatchObject({ attempt: 2, output: { id: 7 }, retryAt: null });
  });

  test("HEAD answers like GET, without the body", async () => {
    const { call } = await appWith();
    const response = await call(`/api/runs/${RUN_ID}`, { method: "HEAD" });
    expect(response.status).toBe(200);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(await response.text()).toBe("");
  });
});

describe("a run that is not there", () => {
  const routes = ["", "/journal", "/result"].map((tail) => ["GET", `/api/runs/:id${tail}`]);
  routes.push(["POST", "/api/runs/:id/cancel"]);
  routes.push(["POST", "/api/dead-letters/:id/revive"], ["POST", "/api/dead-letters/:id/discard"]);

  test.each(routes)("%s %s answers 404, and asks for no id that cannot be", async (method, route) => {
    const asked: RunRef[] = [];
    const keep =
      <const Answer>(answer: Answer) =>
      (ref: RunRef) => {
        asked.push(ref);
        return Promise.resolve(answer);
      };
    const { call } = await appWith({
      store: {
        cancelRun: keep({ result: "not_found", due: [] }),
        reviveRun: keep({ result: "not_found", due: [] }),
        discardRun: keep("not_found"),
      },
      reads: { run: keep(null), journal: keep(null) },
    });
    for (const id of [
      RUN_ID.toLowerCase(),
      `${RUN_ID}0`,
      RUN_ID.slice(1),
      "%00",
      "..%2f",
      "1",
      `U${RUN_ID.slice(1)}`,
    ]) {
      const answer = await errorOf(await call(route.replace(":id", id), { method }));
      expect([id, answer.status, answer.code]).toEqual([id, 404, "run_not_found"]);
    }
    expect(asked).toEqual([]);
    const answer = await errorOf(await call(route.replace(":id", RUN_ID), { method }));
    expect(answer).toEqual({ status: 404, code: "run_not_found", message: `There is no run "${RUN_ID}".` });
    expect(asked).toEqual([{ tenant: "default", runId: RUN_ID }]);
  });
});

describe("a run's result", () => {
  const path = `/api/runs/${RUN_ID}/result`;

  test.each(["completed", "failed", "cancelled", "dead"] as const)("of a %s run is 200", async (status) => {
    const run = runWith({ status, failure: status === "failed" ? failure : null });
    const { call } = await appWith({ reads: { run: async () => run } });
    const response = await call(path);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      id: RUN_ID,
      status,
      output: "done",
      failure: run.failure,
      continuedTo: null,
    });
  });

  test.each(["ready", "running", "waiting"] as const)(
    "of a %s run is 202 and when to ask again",
    async (status) => {
      const { call } = await appWith({ reads: { run: async () => runWith({ status, output: null }) } });
      const response = await call(path);
      expect(response.status).toBe(202);
      expect(response.headers.get("retry-after")).toBe("1");
      expect(await response.json()).toEqual({
        id: RUN_ID,
        status,
        output: null,
        failure: null,
        continuedTo: null,
      });
    },
  );

  test("is waited for", async () => {
    let polls = 0;
    const run = async () => runWith(++polls < 10 ? { status: "running", output: null } : {});
    const { call } = await appWith({ reads: { run } });
    expect((await call(`${path}?wait=25s`)).status).toBe(200);
    expect(polls).toBe(10);
    expect((await call(`${path}?wait=60s`)).status).toBe(200);
  });

  test.each([
    ["wait=61s", 400, "invalid_request"],
    ["wait=25", 422, "invalid_duration"],
    ["wait=", 422, "invalid_duration"],
    ["wait=1s&wait=2s", 400, "invalid_request"],
    ["timeout=25s", 400, "invalid_request"],
  ])("?%s answers %i", async (query, status, code) => {
    const { call } = await appWith();
    expect(await errorOf(await call(`${path}?${query}`))).toMatchObject({ status, code });
  });
});

describe("what a person can do", () => {
  const VERBS = [
    ["/api/runs/:id/cancel", "cancelRun", { result: "moved", due: [] }, { result: "completed", due: [] }],
    [
      "/api/dead-letters/:id/revive",
      "reviveRun",
      { result: "revived", due: [] },
      { result: "running", due: [] },
    ],
    ["/api/dead-letters/:id/discard", "discardRun", "discarded", "ready"],
  ] as const;

  test.each(VERBS)("%s answers with the run as it is then", async (route, verb, result) => {
    const refs: RunRef[] = [];
    const answer = async (ref: RunRef) => {
      refs.push(ref);
      return result as Moved & ReviveResult & DiscardResult;
    };
    const { call } = await appWith({ store: { [verb]: answer } });
    const response = await call(route.replace(":id", RUN_ID), { method: "POST" });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ id: RUN_ID, input: { n: 1 } });
    expect(refs).toEqual([{ tenant: "default", runId: RUN_ID }]);
  });

  test.each(VERBS)("%s answers 409 from the wrong status, by name", async (route, verb, _result, refusal) => {
    const { call } = await appWith({ store: { [verb]: async () => refusal } });
    const status = typeof refusal === "string" ? refusal : refusal.result;
    const answer = await errorOf(await call(route.replace(":id", RUN_ID), { method: "POST" }));
    expect(answer).toMatchObject({ status: 409, code: "wrong_status" });
    expect(answer.message).toContain(`is ${status}`);
  });

  test("cancelling a cancelled run is fine", async () => {
    const { call } = await appWith({ store: { cancelRun: async () => ({ result: "unchanged", due: [] }) } });
    expect((await call(`/api/runs/${RUN_ID}/cancel`, { method: "POST" })).status).toBe(200);
  });
});

describe("the list of workflows", () => {
  test("tells what each takes", async () => {
    const { call } = await appWith();
    const { workflows } = (await (await call("/api/workflows")).json()) as { workflows: unknown[] };
    expect(workflows).toEqual([
      { name: "echo", version: 1, inputSchema: null },
      {
        name: "greet",
        version: 2,
        inputSchema: {
          $schema: "https://json-schema.org/draft/2020-12/schema",
          type: "object",
          properties: { name: { type: "string", minLength: 1 } },
          required: ["name"],
        },
      },
    ]);
  });

  const cyclic: { self?: unknown } = {};
  cyclic.self = cyclic;
  test.each([
    ["throws", () => JSON.parse("{")],
    ["gives a cycle", () => cyclic],
    ["gives nothing", () => undefined],
    ["gives a BigInt", () => ({ minimum: 1n })],
  ])("shows null for a schema whose description %s", async (_name, input) => {
    const validate = (value: unknown) => ({ value });
    const schema = { "~standard": { version: 1, vendor: "test", validate, jsonSchema: { input } } } as const;
    const odd = defineWorkflow({ name: "odd", input: schema }, async () => null);
    const { runtime, tokens } = await appWith();
    const registry = new Registry([odd, greet]);
    const { call } = serve({
      unready: null,
      runtime: { ...runtime, registry },
      tokens,
    });
    const { workflows } = (await (await call("/api/workflows")).json()) as { workflows: unknown[] };
    expect(workflows).toHaveLength(2);
    expect(workflows[1]).toEqual({ name: "odd", version: 1, inputSchema: null });
  });
});

describe("/healthz", () => {
  test.each([
    ["45 s ago", NOW - 45_000, null, { lastTickAt: "2026-01-31T11:59:15.000Z", tickAgeMs: 45_000 }],
    ["never", null, null, { lastTickAt: null, tickAgeMs: null }],
    [
      "an hour ago, and that it is idle",
      NOW - 3_600_000,
      NOW + 1_000,
      { lastTickAt: "2026-01-31T11:00:00.000Z", idleUntil: "2026-01-31T12:00:01.000Z", tickAgeMs: 0 },
    ],
    [
      "an hour ago, and that it was idle",
      NOW - 3_600_000,
      NOW - 90_000,
      { lastTickAt: "2026-01-31T11:00:00.000Z", idleUntil: "2026-01-31T11:58:30.000Z", tickAgeMs: 90_000 },
    ],
  ])("tells that the cron last ticked %s", async (_, lastTickAt, idleUntil, told) => {
    const health = async () => ({ now: NOW, lastTickAt, idleUntil });
    const { raw } = await appWith({ reads: { health } });
    const response = await raw("/healthz");
    expect(response.status).toBe(200);
    const now = "2026-01-31T12:00:00.000Z";
    expect(await response.json()).toEqual({ status: "ok", database: "ok", now, idleUntil: null, ...told });
  });
});

test("the API's type is enough for a typed client", async () => {
  const { call } = await appWith({ reads: { runs: async () => [runWith()], searchEnd: async () => null } });
  const fetch = (input: RequestInfo | URL, init?: RequestInit) => {
    const { pathname, search } = new URL(String(input));
    return call(`${pathname}${search}`, init);
  };
  const { api } = hc<Api>("http://pawl.test", { fetch });
  const begun = await api.workflows[":name"].runs.$post({
    param: { name: "echo" },
    json: { input: { n: 1 }, tags: ["vip"] },
  });
  const { id, status } = await begun.json();
  expect([id.length, status]).toEqual([26, "ready"]);
  const { runs, nextCursor } = await (
    await api.runs.$get({ query: { status: "ready", "input.n": "1" } })
  ).json();
  expect([runs[0]?.workflow, nextCursor]).toEqual(["echo", null]);
  const batch = api.workflows[":name"][":verb{runs:batch}"];
  const both = await batch.$post({ param: { name: "echo", verb: "runs:batch" }, json: { runs: [{}, {}] } });
  expect((await both.json()).runs.map(({ created }) => created)).toEqual([true, true]);
});
