/** The HTTP API while its database is gone (I9). */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { answersAgain, type Cluster, createCluster } from "../support/cluster.ts";
import { createWorld, type World } from "../support/world.ts";

let cluster: Cluster;
let world: World;

beforeAll(async () => {
  cluster = await createCluster();
  world = await createWorld({}, cluster.database);
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

const start = { method: "POST", path: "/api/workflows/count/runs", body: { input: { steps: 1 } } };

/** Everything that asks the database, for a run that failed. */
const routes = (id: string) => [
  start,
  { method: "POST", path: "/api/workflows/count/runs:batch", body: { runs: [{ input: { steps: 1 } }] } },
  { method: "GET", path: "/api/runs" },
  { method: "GET", path: "/api/runs?tag=red&status=failed" },
  { method: "GET", path: `/api/runs/${id}` },
  { method: "GET", path: `/api/runs/${id}/journal` },
  { method: "GET", path: `/api/runs/${id}/result?wait=1s` },
  { method: "POST", path: `/api/runs/${id}/cancel` },
  { method: "GET", path: "/api/dead-letters" },
  { method: "POST", path: `/api/dead-letters/${id}/discard` },
  { method: "POST", path: `/api/dead-letters/${id}/revive` },
];

const send = ({ method, path, body }: { method: string; path: string; body?: unknown }) =>
  world.worker.fetch(path, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });

async function failedRun(): Promise<string> {
  world.ledger.onEffect = ({ step }) => (step === "fragile" ? { fail: "out of glue" } : {});
  const id = await world.start("fragile", { attempts: 1 });
  await world.reaches(id, "failed");
  world.ledger.onEffect = () => {};
  return id;
}

test("every route answers 503 with Retry-After while Postgres is gone, and as before once it is back (C11)", async () => {
  const id = await failedRun();
  await cluster.postgres.stop("fast");
  for (const route of routes(id)) {
    const response = await send(route);
    expect({ route, status: response.status }).toEqual({ route, status: 503 });
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await response.json()).toMatchObject({ error: { code: "store_unavailable" } });
  }
  await cluster.postgres.restart();
  await answersAgain(cluster.database);
  for (const route of routes(id)) {
    const { status } = await send(route);
    expect({ route, ok: status < 300 || (status === 409 && route.path.endsWith("/cancel")) }).toEqual({
      route,
      ok: true,
    });
  }
  const runs = await world.database.rows<{ id: string }>("select id from pawl.runs");
  expect(runs).toHaveLength(3);
  await world.allReach(
    runs.map(({ id }) => id),
    "completed",
  );
});

test("health says that the database is unreachable while it is, and gives nothing else away (C11)", async () => {
  await cluster.postgres.stop("fast");
  const response = await world.worker.fetch("/healthz");
  expect(response.status).toBe(503);
  expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(await response.json()).toEqual({
    status: "unavailable",
    database: "unreachable",
    now: null,
    lastTickAt: null,
    idleUntil: null,
    tickAgeMs: null,
  });
  await cluster.postgres.restart();
  await answersAgain(cluster.database);
  expect((await world.worker.fetch("/healthz")).status).toBe(200);
});

test("what asks no database answers as ever: the list of workflows, bad requests, missing tokens (I9)", async () => {
  await cluster.postgres.stop("fast");
  expect((await world.worker.fetch("/api/workflows")).status).toBe(200);
  expect((await send({ ...start, body: { input: {} } })).status).toBe(422);
  expect((await send({ ...start, path: "/api/workflows/nothing/runs" })).status).toBe(404);
  expect((await world.worker.fetch("/api/runs?cursor=nope")).status).toBe(400);
  expect((await world.worker.fetch("/api/runs", { headers: { authorization: "" } })).status).toBe(401);
  await cluster.postgres.restart();
  await answersAgain(cluster.database);
});
