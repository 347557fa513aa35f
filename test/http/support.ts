/** An app over a runtime of memory: what these tests ask is what HTTP does, not what storage does. */
import * as z from "zod";
import type { Bulks } from "../../src/engine/bulk.ts";
import type { Encoded } from "../../src/engine/codec.ts";
import type { Action, History, NewAction } from "../../src/engine/history.ts";
import type { Overview } from "../../src/engine/overview.ts";
import type { StartedRun, Store } from "../../src/engine/ports.ts";
import type { JournalLine, Reads } from "../../src/engine/reads.ts";
import type { NewRun, RunDetail } from "../../src/engine/run.ts";
import type { Timings } from "../../src/engine/timings.ts";
import { defineWorkflow, Registry } from "../../src/engine/workflow.ts";
import { createApp } from "../../src/http/app.ts";
import { digestToken } from "../../src/http/auth.ts";
import type { HttpDeps } from "../../src/http/context.ts";
import { Marks } from "../../src/runtime/marks.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";

export const TOKEN = "a-token-of-the-tests-0123456789";
/** May look at everything, and change nothing. */
export const READ_TOKEN = "a-reading-token-of-the-tests-01";
export const RUN_ID = "01K7Z3QX5V8M2N4P6R8T0W1Y3A";
export const ORIGIN = "http://pawl.test";
export const NOW = Date.parse("2026-01-31T12:00:00.000Z");

export const greet = defineWorkflow(
  { name: "greet", version: 2, input: z.object({ name: z.string().min(1) }) },
  async ({ input }) => `Hello ${input.name}`,
);
/** Takes anything at all. */
export const echo = defineWorkflow({ name: "echo" }, async ({ input }) => input);

/** A run that is over, with the given fields instead. */
export function runWith(fields: Partial<RunDetail> = {}): RunDetail {
  return {
    tenant: "default",
    runId: RUN_ID,
    workflow: "echo",
    version: 1,
    status: "completed",
    turn: 3,
    lostTurns: 0,
    tags: ["vip"],
    idempotencyKey: null,
    currentStep: null,
    stepsDone: 2,
    createdAt: NOW,
    startedAt: NOW + 5,
    wakeAt: null,
    leaseExpiresAt: null,
    deadlineAt: null,
    finishedAt: NOW + 1_000,
    discardedAt: null,
    failure: null,
    phase: "forward",
    failedCompensations: 0,
    pausedAt: null,
    parent: null,
    continuedFrom: null,
    deployment: null,
    continuedTo: null,
    forkedFrom: null,
    input: plain({ n: 1 }),
    output: plain("done"),
    ...fields,
  };
}

export function lineWith(fields: Partial<JournalLine> = {}): JournalLine {
  return {
    seq: 1,
    kind: "step",
    key: "charge card",
    outcome: "completed",
    attempt: 1,
    turn: 1,
    output: plain({ id: 7 }),
    failure: null,
    startedAt: NOW,
    recordedAt: NOW + 20,
    retryAt: null,
    ...fields,
  };
}

export function plain(json: Encoded["json"]): Encoded {
  return { json, meta: null };
}

export interface Ports {
  store?: Partial<Store>;
  reads?: Partial<Reads>;
  overview?: Partial<Overview>;
  history?: Partial<History>;
  bulks?: Partial<Bulks>;
  timings?: Partial<Timings>;
}

/** An app whose ports are the given ones, with a request helper that presents the token. */
export async function appWith({
  store = {},
  reads = {},
  overview = {},
  history = {},
  bulks = {},
  timings = {},
}: Ports = {}) {
  const reported: { what: string; error: unknown }[] = [];
  let clock = NOW;
  let ids = 0;
  const runtime: Runtime = {
    store: only("store", { startRuns: async (_tenant, runs) => runs.map(started), ...store }),
    reads: only("reads", {
      run: async () => runWith(),
      underWay: async () => ({ waits: [], branches: [] }),
      ...reads,
    }),
    overview: only("overview", {
      standings: async () => [],
      live: async () => ({ turnBegunAt: null, sleeps: [], branches: [] }),
      ...overview,
    }),
    history: only("history", { add: async (action) => toAction(action), list: async () => [], ...history }),
    bulks: only("bulks", bulks),
    timings: only("timings", { read: async () => [], sweeps: async () => [], ...timings }),
    wakeUps: { send: async () => {}, sendAgain: async () => {}, sweepAgain: async () => {} },
    agenda: null,
    marks: new Marks(),
    clock: {
      now: () => clock,
      sleep: async (ms) => {
        clock += ms;
      },
      rest: { settled: async () => {}, grace: async () => {} },
    },
    registry: new Registry([greet, echo]),
    settings: {
      leaseMs: 1,
      lostTurnLimit: 1,
      wakeUpGraceMs: 1,
      sweepHorizonMs: 1,
      turnBytes: 4_000_000,
      sweepLimit: 1,
      safetySweepMs: 1,
      messageRetentionMs: 1,
      eventRetentionMs: 1,
    },
    transactions: only("transactions", {}),
    hooks: only<Runtime["hooks"]>("hooks", { digestToken: (token) => token }),
    warmRuns: null,
    warmBranches: null,
    deployment: "v7",
    sinks: [],
    random: () => 0.5,
    uuid: () => "00000000-0000-4000-8000-000000000000",
    newRunId: () => `01K7Z3QX5V8M2N4P6R8T0W${String(++ids).padStart(4, "0")}`,
    report: (what, error) => reported.push({ what, error }),
  };
  const tokens = { admin: await digestToken(TOKEN), read: await digestToken(READ_TOKEN) };
  return { ...serve({ unready: null, runtime, tokens }), runtime, tokens, reported };
}

/** The app over whatever the wiring gave. */
export function serve(deps: HttpDeps) {
  const app = createApp(() => deps);
  const context = { waitUntil: () => {}, passThroughOnException: () => {}, props: {} };
  /** Without the token, exactly as given: the app's own helper would tidy the path. */
  const send = async (request: Request) => app.fetch(request, {}, context);
  const raw = (path: string, init: RequestInit = {}) => send(new Request(`${ORIGIN}${path}`, init));
  const call = (path: string, init: RequestInit = {}) => {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${TOKEN}`);
    return raw(path, { ...init, headers });
  };
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    call(path, {
      method: "POST",
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers: { "content-type": "application/json", ...headers },
    });
  return { app, send, raw, call, post };
}

/** Signs in; gives the cookie as a browser sends it back. */
export async function signIn(
  raw: (path: string, init: RequestInit) => Promise<Response>,
  token: string,
): Promise<string> {
  const response = await raw("/api/session", {
    method: "POST",
    headers: { "content-type": "application/json", origin: ORIGIN },
    body: JSON.stringify({ token }),
  });
  const cookie = response.headers.get("set-cookie");
  if (cookie === null) throw new Error(`signing in was answered with ${response.status}`);
  return cookie.slice(0, cookie.indexOf(";"));
}

/** An app that notes which part of its runtime anybody asks for, so that a test can say that nobody did. */
export async function watchedApp(ports: Ports = {}) {
  const { runtime, tokens } = await appWith(ports);
  const asked: string[] = [];
  // A mark is laid whatever becomes of the request, once a minute, and changes nothing.
  const marking = ["marks", "agenda"];
  const watched = new Proxy(runtime, {
    get(target, part, receiver) {
      if (!marking.includes(String(part))) asked.push(String(part));
      return Reflect.get(target, part, receiver);
    },
  });
  return { ...serve({ unready: null, runtime: watched, tokens }), asked };
}

function toAction(action: NewAction): Action {
  return { newRunId: null, note: null, bulkId: null, ...action, id: 1, at: NOW };
}

/** The answer a storage gives that has never seen the key. */
export function started(run: NewRun): StartedRun {
  const { id: runId, workflow, version, tags, idempotencyKey } = run;
  return {
    run: runWith({ runId, workflow, version, tags, idempotencyKey, status: "ready", finishedAt: null }),
    created: true,
    wakeInMs: 0,
  };
}

/** The code of an answer that must be an error of the documented shape. */
export async function errorOf(
  response: Response,
): Promise<{ status: number; code: string; message: string }> {
  const body = (await response.json()) as { error: { code: string; message: string; requestId: string } };
  if (Object.keys(body).join() !== "error" || Object.keys(body.error).join() !== "code,message,requestId") {
    throw new Error(`not the shape of an error: ${JSON.stringify(body)}`);
  }
  return { status: response.status, code: body.error.code, message: body.error.message };
}

/** The code of an answer that was read already; undefined when it is no error. */
export function errorCodeOf({ body }: { readonly body: unknown }): string | undefined {
  return (body as { readonly error?: { readonly code: string } }).error?.code;
}

function only<Port extends object>(name: string, port: Partial<Port>): Port {
  return new Proxy(port as Port, {
    get(target, verb, receiver) {
      if (Reflect.has(target, verb)) return Reflect.get(target, verb, receiver);
      return async () => {
        throw new Error(`${name}.${String(verb)} was not expected`);
      };
    },
  });
}
