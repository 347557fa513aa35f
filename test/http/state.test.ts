import { hc } from "hono/client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { defineWorkflow } from "../../src/engine/workflow.ts";
import type { Api } from "../../src/http/app.ts";
import { digestToken } from "../../src/http/auth.ts";
import { createLiveApp, type LiveApp } from "./live.ts";
import { serve, TOKEN } from "./support.ts";

const tell = defineWorkflow({ name: "tell" }, async ({ step, run }) => {
  await run.set("phase", { name: "first", share: 0.5 });
  await run.append("log", "began");
  await step.run("work", () => 1);
  await run.append("log", { at: 2 });
  await run.set("phase", null);
  await run.set("__proto__", [1]);
  await run.set("a/b ☃", "odd");
  await step.waitForSignal("go", { timeout: "1 day" });
});
const child = defineWorkflow({ name: "child" }, async ({ step }) => {
  await step.waitForSignal("go");
});
const parent = defineWorkflow({ name: "parent" }, async ({ step }) => {
  await Promise.all([0, 1, 2].map((n) => step.invoke(`child ${n}`, child, n)));
});
const flaky = defineWorkflow({ name: "flaky" }, async ({ step }) => {
  const fail = () => {
    throw new Error("not now");
  };
  await Promise.all([
    step.run("fails", fail, { retry: { maxAttempts: 5, delay: "1 hour" } }),
    step.waitForSignal("go"),
  ]);
});

let app: LiveApp;
beforeAll(async () => {
  app = await createLiveApp([tell, child, parent, flaky]);
});
afterEach(async () => {
  expect(await app.database.rows("select * from pawl.stuck_runs")).toEqual([]);
});
afterAll(() => app?.stop());

const NOBODY = "01K7Z3QX5V8M2N4P6R8T0W1Y3A";
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const codeOf = ({ status, body }: { status: number; body: unknown }) => [
  status,
  (body as { error?: { code: string } }).error?.code,
];
const started = async (workflow: string) => {
  const id = await app.start(workflow);
  await app.drive(id);
  return id;
};
const idsOf = (body: unknown) => (body as { runs: { id: string }[] }).runs.map(({ id }) => id);

describe("a run's state", () => {
  test("shows what the run last set and added, and when", async () => {
    const id = await started("tell");
    const { status, body } = await app.get(`/api/runs/${id}/state`);
    const { state, updatedAt } = body as {
      state: Record<string, unknown>;
      updatedAt: Record<string, string>;
    };
    expect(status).toBe(200);
    expect(Object.entries(state).sort()).toEqual([
      ["__proto__", [1]],
      ["a/b ☃", "odd"],
      ["log", ["began", { at: 2 }]],
      ["phase", null],
    ]);
    expect(Object.keys(updatedAt).sort()).toEqual(Object.keys(state).sort());
    for (const at of Object.values(updatedAt)) expect(at).toMatch(ISO);
  });

  test("is there also once the run is over, and empty for one that set nothing", async () => {
    const id = await started("tell");
    await app.post(`/api/runs/${id}/cancel`, "");
    expect((await app.get(`/api/runs/${id}/state/log`)).body).toMatchObject({ value: ["began", { at: 2 }] });
    const none = await started("child");
    expect((await app.get(`/api/runs/${none}/state`)).body).toEqual({ state: {}, updatedAt: {} });
  });

  test("is shown by its key", async () => {
    const id = await started("tell");
    const key = "a/b ☃";
    expect(await app.get(`/api/runs/${id}/state/${encodeURIComponent(key)}`)).toEqual({
      status: 200,
      body: { key, value: "odd", updatedAt: expect.stringMatching(ISO) },
    });
    expect((await app.get(`/api/runs/${id}/state/phase`)).body).toMatchObject({ value: null });
  });

  test("of a key or a run that is not there answers 404", async () => {
    const id = await started("tell");
    for (const key of ["nothing", "%00", "Phase"]) {
      expect(codeOf(await app.get(`/api/runs/${id}/state/${key}`))).toEqual([404, "state_not_found"]);
    }
    for (const path of [`${NOBODY}/state`, `${NOBODY}/state/phase`, "x/state"]) {
      expect(codeOf(await app.get(`/api/runs/${path}`))).toEqual([404, "run_not_found"]);
    }
  });
});

describe("what a run waits for", () => {
  test("stands in its detail, and never in a list", async () => {
    const id = await started("tell");
    const { body } = await app.get(`/api/runs/${id}`);
    expect(body).toMatchObject({
      waits: [
        {
          key: "go",
          kind: "signal",
          name: "go",
          begunAt: expect.stringMatching(ISO),
          dueAt: expect.stringMatching(ISO),
        },
      ],
      branches: [],
    });
    const listed = (await app.get("/api/runs")).body as { runs: object[] };
    for (const run of listed.runs) {
      for (const field of ["waits", "branches", "input"]) expect(run).not.toHaveProperty(field);
    }
  });

  test("shows the steps beside the turn with the attempts that failed, without stacks", async () => {
    const id = await started("flaky");
    const { branches } = (await app.get(`/api/runs/${id}`)).body as { branches: object[] };
    expect(branches).toEqual([
      {
        key: "fails",
        attempt: 2,
        leased: false,
        wakeAt: expect.stringMatching(ISO),
        begunAt: expect.stringMatching(ISO),
        attemptBegunAt: null,
        failures: [
          {
            attempt: 1,
            failure: { code: "error", name: "Error", message: "not now" },
            failedAt: expect.stringMatching(ISO),
          },
        ],
      },
    ]);
  });

  test("finds the run in lists, while it is not over", async () => {
    const signal = await started("tell");
    const family = await started("parent");
    const find = async (kind: string) =>
      idsOf((await app.get(`/api/runs?waitingFor=${kind}&limit=100`)).body);
    expect(await find("signal")).toContain(signal);
    expect(await find("child")).toContain(family);
    expect(await find("signal")).not.toContain(family);
    for (const kind of ["person", "message"]) expect(await find(kind)).toEqual([]);
    // A dead run keeps its wait for whoever revives it.
    await app.database.rows("update pawl.runs set workflow = 'gone' where id = $1", [signal]);
    await app.post(`/api/runs/${signal}/signals/go`, "");
    await app.drive(signal);
    expect((await app.get(`/api/runs/${signal}`)).body).toMatchObject({
      status: "dead",
      waits: [{ key: "go" }],
    });
    expect(await find("signal")).not.toContain(signal);
    expect(codeOf(await app.get("/api/runs?waitingFor=godot"))).toEqual([400, "invalid_request"]);
  });
});

describe("a run's children", () => {
  test("are listed newest first, page by page, also by the filter", async () => {
    const id = await started("parent");
    await started("parent");
    const all = idsOf((await app.get(`/api/runs/${id}/children`)).body);
    expect(all).toHaveLength(3);
    expect(all).toEqual([...all].sort().reverse());
    const paged: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const query: string = cursor === "" ? "?limit=2" : `?limit=2&cursor=${cursor}`;
      const { body } = await app.get(`/api/runs/${id}/children${query}`);
      paged.push(...idsOf(body));
      cursor = (body as { nextCursor: string | null }).nextCursor;
    }
    expect(paged).toEqual(all);
    expect(idsOf((await app.get(`/api/runs?parent=${id}`)).body)).toEqual(all);
    expect((await app.get(`/api/runs/${all[0]}`)).body).toMatchObject({ parentId: id });
  });

  test("of a run without any are none, and of no run 404", async () => {
    const id = await started("child");
    expect((await app.get(`/api/runs/${id}/children`)).body).toEqual({ runs: [], nextCursor: null });
    expect(codeOf(await app.get(`/api/runs/${NOBODY}/children`))).toEqual([404, "run_not_found"]);
    expect(codeOf(await app.get(`/api/runs/${id}/children?parent=x`))).toEqual([400, "invalid_request"]);
    expect(codeOf(await app.get(`/api/runs/${id}/children?cursor=x`))).toEqual([400, "invalid_cursor"]);
  });
});

test("the API's type is enough for a typed client", async () => {
  const { call } = serve({
    unready: null,
    runtime: app.runtime,
    tokens: { admin: await digestToken(TOKEN), read: null },
  });
  const fetch = (input: RequestInfo | URL, init?: RequestInit) => {
    const { pathname, search } = new URL(String(input));
    return call(`${pathname}${search}`, init);
  };
  const { api } = hc<Api>("http://pawl.test", { fetch });
  const id = await started("tell");
  const run = api.runs[":id"];
  const param = { id };
  expect((await (await run.$get({ param })).json()).waits?.[0]?.kind).toBe("signal");
  expect((await (await run.state.$get({ param })).json()).state?.log).toEqual(["began", { at: 2 }]);
  const fork = await run.fork.$post({ param, json: { from: "work" } });
  expect((await fork.json()).forkedFrom).toBe(id);
  const again = await run.rerun.$post({ param, json: {} });
  expect((await again.json()).status).toBe("ready");
  const sent = await run.signals[":name"].$post({ param: { id, name: "go" }, json: { payload: 1 } });
  expect((await sent.json()).accepted).toBe(true);
  expect((await (await run.pause.$post({ param })).json()).status).toBe("paused");
  expect((await (await run.cancel.$post({ param, json: { compensate: false } })).json()).status).toBe(
    "cancelled",
  );
});
