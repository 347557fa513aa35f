import { describe, expect, test } from "vitest";
import type { Bulks } from "../../src/engine/bulk.ts";
import * as engineErrors from "../../src/engine/errors.ts";
import type { History } from "../../src/engine/history.ts";
import type { Overview } from "../../src/engine/overview.ts";
import type { Store } from "../../src/engine/ports.ts";
import type { Reads } from "../../src/engine/reads.ts";
import * as refused from "../../src/engine/refusals.ts";
import { RetryableError } from "../../src/engine/retry.ts";
import type { Timings } from "../../src/engine/timings.ts";
import { defineWorkflow, Registry } from "../../src/engine/workflow.ts";
import { createApp } from "../../src/http/app.ts";
import { ERRORS } from "../../src/http/errors.ts";
import * as refusals from "../../src/http/refusals.ts";
import { REQUESTS, WITHOUT_DATABASE } from "./samples.ts";
import { appWith, errorOf, RUN_ID, serve, TOKEN } from "./support.ts";

const { PawlError, StoreUnavailable } = engineErrors;

const SECRET = "postgres://owner:hunter2@db.internal:5432/pawl";

class OddlyCoded extends PawlError {
  readonly code = "constructor";
}

/** The app when every port fails with this. */
async function failing(error: unknown) {
  const port = new Proxy({}, { get: () => () => Promise.reject(error) });
  const { runtime, tokens, reported } = await appWith();
  const broken = {
    ...runtime,
    store: port as Store,
    reads: port as Reads,
    overview: port as Overview,
    history: port as History,
    bulks: port as Bulks,
    timings: port as Timings,
  };
  return { ...serve({ unready: null, runtime: broken, tokens }), reported };
}

function classesOf(module: object, base: abstract new (...args: never[]) => Error): string[] {
  return Object.values(module)
    .filter((value) => typeof value === "function" && value.prototype instanceof base)
    .map((value: { name: string }) => value.name)
    .filter((name) => name !== "Refusal")
    .sort();
}

describe("the table of errors", () => {
  /** One of each error that a use case can raise towards a caller. */
  const REACHING = [
    new refused.WorkflowNotFound("x", undefined, []),
    new engineErrors.InvalidDuration("x", "it cannot be read"),
    new engineErrors.UnstorableValue("x", "", "is odd", "Do not."),
    new engineErrors.StoreUnavailable(new Error(SECRET)),
    new refused.InvalidInput("x", ["y"]),
    new refused.IdempotencyConflict("x", RUN_ID),
    new refused.DuplicateIdempotencyKey("x", "y"),
    new refused.RunNotFound(RUN_ID),
    refused.ChannelModeConflict.mode("x", "broadcast", "direct"),
    new refused.EventNotFound("x"),
    new refused.EventNotDead("x"),
    new refused.HookNotFound(),
    new refused.HookUsed(),
    new refused.HookExpired(),
    new refused.NotAGraph(RUN_ID, "x"),
    new refused.GateOpen(RUN_ID, "x"),
    new refused.MutationConflict(RUN_ID, "x"),
    new refused.InvalidAppend("x"),
    new refused.NotAwaited(RUN_ID, "x"),
    new refused.UnknownStep(RUN_ID, "x"),
    new refused.QueryTimeout(5_000),
    new refused.BulkNotFound("x"),
    new refused.BulkOver("x"),
    new refused.EntryNotFound(RUN_ID, "7"),
    new refused.StateNotFound(RUN_ID, "x"),
    new refused.InvalidSignalName("x#y"),
    new refused.WrongStatus(RUN_ID, "completed", "revived", "failed and dead"),
  ];
  /** What stays between a workflow, its journal and the engine. */
  const STAYING = [
    new engineErrors.NonRetryableError("x"),
    new engineErrors.StepFailed("x", 1, { code: "error", name: "Error", message: "x" }),
    new engineErrors.ChildFailed("x", { code: "error", name: "Error", message: "x" }),
    new engineErrors.StepTimedOut("x", 1),
    new engineErrors.HeartbeatMissed("x", 1),
    new engineErrors.OutcomeUnknown("x"),
    new engineErrors.InvalidPayload("x", ["y"]),
    new engineErrors.LeaseLost(RUN_ID, 1),
    new engineErrors.DeadlineExceeded(0),
    new engineErrors.JournalTooLarge("x", "y"),
    new engineErrors.JournalMismatch("x"),
    new engineErrors.WorkflowStalled("x"),
    new engineErrors.NondeterministicCall({ name: "x", version: 1 }, "y()", "step.y()"),
    new engineErrors.InvalidStep("x"),
    new engineErrors.LostTurnsExhausted("x"),
    new refused.NotSubscribed(),
    new engineErrors.InvalidGraph("x", "y"),
    new engineErrors.InvalidSequence("x", "y"),
    new engineErrors.LoopLimitReached("x", 1),
    new engineErrors.GateTimedOut("x"),
  ];
  const names = (errors: readonly Error[]) => errors.map((error) => error.constructor.name);

  test("every error of the engine either reaches HTTP or stays inside", () => {
    const classes = [...classesOf(engineErrors, PawlError), ...classesOf(refused, PawlError)].sort();
    expect(classes).toEqual([...names(REACHING), ...names(STAYING)].sort());
  });

  test.each(REACHING)("$code answers with its status and sentence", async (error) => {
    const { call } = await failing(error);
    const answer = await errorOf(await call(`/api/runs/${RUN_ID}`));
    const code = error.code as keyof typeof ERRORS;
    expect(answer).toEqual({ status: ERRORS[code].status, code, message: error.message });
  });

  test.each([...STAYING, new RetryableError("x")])("$code is an internal error", async (error) => {
    const { call } = await failing(error);
    expect(await errorOf(await call(`/api/runs/${RUN_ID}`))).toMatchObject({
      status: 500,
      code: "internal_error",
    });
  });

  test("every refusal of HTTP has its line", () => {
    const codes = [
      new refusals.Unauthorized(),
      new refusals.NotConfigured("x"),
      new refusals.RouteNotFound(),
      new refusals.MethodNotAllowed("GET", ["POST"]),
      new refusals.InvalidJson("x"),
      new refusals.UnsupportedMediaType(),
      new refusals.BodyTooLarge(1),
      new refusals.TooDeep(1),
      new refusals.TooManyKeys(1),
      new refusals.InvalidRequest("body", []),
      new refusals.InvalidCursor(),
      new refusals.ReadOnly(),
      new refusals.CrossOrigin(),
      new refusals.TooManySignIns(1),
    ];
    expect(classesOf(refusals, refusals.Refusal)).toEqual(names(codes).sort());
    for (const { code } of codes) expect(ERRORS).toHaveProperty(code);
    const used = [...codes, ...REACHING].map(({ code }) => code);
    expect(Object.keys(ERRORS).sort()).toEqual([...used, "internal_error"].sort());
  });

  test("only faults that are not the caller's have a 5xx", () => {
    const faults = Object.entries(ERRORS).filter(([, { status }]) => status >= 500);
    expect(faults.map(([code]) => code)).toEqual([
      "internal_error",
      "not_configured",
      "query_timeout",
      "store_unavailable",
    ]);
  });
});

describe("I9: when the database does not answer", () => {
  test.each(REQUESTS.filter(({ route }) => !WITHOUT_DATABASE.has(route) && route !== "GET /healthz"))(
    "$route answers 503 and when to try again",
    async ({ path, init }) => {
      const { call, reported } = await failing(new StoreUnavailable(new Error(SECRET)));
      const response = await call(path, init);
      expect(response.headers.get("retry-after")).toBe("5");
      const { status, code, message } = await errorOf(response);
      expect([status, code]).toEqual([503, "store_unavailable"]);
      expect(message).not.toContain("hunter2");
      expect(reported).toHaveLength(1);
    },
  );

  test("/healthz says so and nothing else", async () => {
    const { raw, reported } = await failing(new StoreUnavailable(new Error(SECRET)));
    const response = await raw("/healthz");
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("5");
    const silent = { now: null, lastTickAt: null, idleUntil: null, tickAgeMs: null };
    expect(await response.json()).toEqual({ status: "unavailable", database: "unreachable", ...silent });
    expect(reported).toHaveLength(1);
  });

  test("the list of workflows does not ask it", async () => {
    const { call } = await failing(new StoreUnavailable(new Error(SECRET)));
    expect((await call("/api/workflows")).status).toBe(200);
  });
});

describe("an error that nobody expected", () => {
  test.each([
    ["an Error", new Error(SECRET)],
    ["a string", SECRET],
    ["null", null],
    ["one of ours with a code of Object.prototype", new OddlyCoded(SECRET)],
    ["an error that calls itself one of ours", Object.assign(new Error(SECRET), { code: "run_not_found" })],
    ["one with a code of Object.prototype", Object.assign(new Error(SECRET), { code: "constructor" })],
  ])("%s: a 500 that tells the caller nothing and the operator everything", async (_name, error) => {
    const { call, reported } = await failing(error);
    const response = await call(`/api/runs/${RUN_ID}?secret=in-the-query`);
    const requestId = response.headers.get("x-request-id") ?? "";
    const text = await response.clone().text();
    expect(text).not.toContain("hunter2");
    expect(text).not.toContain("stack");
    const { status, code, message } = await errorOf(response);
    expect([status, code]).toEqual([500, "internal_error"]);
    expect(message).toContain(requestId);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(reported).toHaveLength(1);
    expect(reported[0]?.what).toBe(`answering GET /api/runs/:id, request ${requestId}`);
    const told = reported[0]?.error as Error;
    expect(told.cause ?? told).toBe(error ?? told);
  });

  test("a schema that throws is one of those", async () => {
    const schema = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: () => {
          throw "a string";
        },
      },
    } as const;
    const throwing = defineWorkflow({ name: "throwing", input: schema }, async () => null);
    const { runtime, tokens } = await appWith();
    const registry = new Registry([throwing]);
    const { post } = serve({ unready: null, runtime: { ...runtime, registry }, tokens });
    expect((await errorOf(await post("/api/workflows/throwing/runs", { input: 1 }))).status).toBe(500);
  });
});

describe("a deployment that is not ready", () => {
  const { app, raw } = serve({ unready: "The secret PAWL_ADMIN_TOKEN is not set." });

  test.each([...REQUESTS, { route: "an unknown path", path: "/x", init: { method: "GET", headers: {} } }])(
    "answers 503 and the reason at $route, whatever token it is shown",
    async ({ path, init }) => {
      for (const token of [undefined, "", TOKEN]) {
        const headers = {
          ...init.headers,
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        };
        const response = await raw(path, { ...init, headers });
        expect(response.headers.get("retry-after")).toBe("5");
        expect(await errorOf(response)).toEqual({
          status: 503,
          code: "not_configured",
          message: "The secret PAWL_ADMIN_TOKEN is not set.",
        });
      }
    },
  );

  test("has the same routes", () => {
    expect(app.routes.length).toBeGreaterThan(REQUESTS.length);
  });
});

describe("headers", () => {
  test.each(["/healthz", "/api/runs", "/api/nothing", `/api/runs/${RUN_ID}`])("of %s", async (path) => {
    const { raw } = await appWith({
      reads: { health: async () => ({ now: 0, lastTickAt: null, idleUntil: null }) },
    });
    const ours = "0f0e0d0c-0000-4000-8000-000000000000";
    const { headers } = await raw(path, {
      headers: { origin: "https://evil.example", "x-request-id": ours },
    });
    const { "x-request-id": requestId, "www-authenticate": _, ...rest } = Object.fromEntries(headers);
    expect(requestId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(requestId).not.toBe(ours);
    expect(rest).toEqual({
      "cache-control": "no-store",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      "content-type": "application/json",
      "cross-origin-opener-policy": "same-origin",
      "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
      "referrer-policy": "no-referrer",
      "strict-transport-security": "max-age=31536000",
      "x-content-type-options": "nosniff",
    });
  });

  test("the request's id stands in the body too", async () => {
    const { call } = await appWith();
    const response = await call("/api/nothing");
    const { error } = (await response.json()) as { error: { requestId: string } };
    expect(error.requestId).toBe(response.headers.get("x-request-id"));
  });
});

describe("a method that a path does not have", () => {
  test.each([
    ["DELETE", "/api/runs", "GET, HEAD"],
    ["GET", "/api/workflows/echo/runs", "POST"],
    ["HEAD", "/api/workflows/echo/runs:batch", "POST"],
    ["PUT", `/api/runs/${RUN_ID}/cancel`, "POST"],
    ["POST", "/healthz", "GET, HEAD"],
    ["OPTIONS", "/api/runs", "GET, HEAD"],
  ])("%s %s: 405 with Allow: %s", async (method, path, allow) => {
    const { call } = await appWith();
    const response = await call(path, { method });
    expect(response.headers.get("allow")).toBe(allow);
    expect(response.status).toBe(405);
    if (method !== "HEAD") expect((await errorOf(response)).code).toBe("method_not_allowed");
  });
});

test("a wake-up that cannot be sent does not fail a start: the run is durable", async () => {
  const { runtime, tokens, reported } = await appWith();
  const wakeUps = { ...runtime.wakeUps, send: () => Promise.reject(new Error("queue")) };
  const { post } = serve({ unready: null, runtime: { ...runtime, wakeUps }, tokens });
  expect((await post("/api/workflows/echo/runs", {})).status).toBe(201);
  expect(reported).toHaveLength(1);
});

test("what the wiring throws is left to the platform, which logs it", async () => {
  const app = createApp(() => {
    throw new Error(SECRET);
  });
  const context = { waitUntil: () => {}, passThroughOnException: () => {}, props: {} };
  await expect(async () => app.request("/healthz", {}, {}, context)).rejects.toThrow(SECRET);
});
