/** Postgres stopped, killed, restarted, and refusing its clients, while runs are under way. */
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { answersAgain, type Cluster, createCluster } from "../support/cluster.ts";
import type { Effect } from "../support/ledger.ts";
import { eventually, gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

const GRACE_MS = 15_000;
const DAY_MS = 86_400_000;

let cluster: Cluster;
let world: World;

beforeAll(async () => {
  cluster = await createCluster();
  // So long that no lease runs out while the clock moves for what was not claimed.
  world = await createWorld({ PAWL_LEASE_MS: String(DAY_MS) }, cluster.database);
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

const steps = (id: string) => world.ledger.of(id).map(({ step }) => step);

/** Holds a run in its first step. */
async function heldRun() {
  const door = gate<Effect>();
  world.ledger.onEffect = (effect) => (effect.step === "count 1" ? door.pass(effect) : undefined);
  const id = await world.start("count", { steps: 3 });
  await door.reached;
  return { id, door };
}

/** Wakes again whom nobody claimed. */
async function sweepAfterGrace(): Promise<void> {
  await world.database.moveClock(GRACE_MS + 1);
  await world.worker.tick();
}

/** As after a failover to a replica: sessions from now on can only read. */
async function becomeReadOnly(on: boolean): Promise<void> {
  const client = new pg.Client({ connectionString: cluster.database.url });
  await client.connect();
  await client.query("set default_transaction_read_only = off");
  await client.query(`alter system set default_transaction_read_only = ${on ? "on" : "off"}`);
  await client.end();
  await cluster.postgres.restart("fast");
  await answersAgain(cluster.database);
}

/** Connects until Postgres refuses, in place of everybody else too. */
async function takeAllConnections(): Promise<pg.Client[]> {
  const taken: pg.Client[] = [];
  await eventually("there is no connection left", async () => {
    const client = new pg.Client({ connectionString: cluster.database.url, application_name: "greedy" });
    client.on("error", () => {});
    try {
      await client.connect();
      taken.push(client);
      return false;
    } catch (error) {
      expect(error).toMatchObject({ code: "53300" });
      const others = await taken[0]?.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where backend_type = 'client backend' and application_name <> 'greedy'`,
      );
      return others?.rowCount === 0;
    }
  });
  return taken;
}

async function expectDoneOnce(id: string): Promise<void> {
  expect(await world.reaches(id, "completed")).toMatchObject({ turn: 3, lost_turns: 0 });
  expect(steps(id)).toEqual(["count 1", "count 2", "count 3"]);
}

test("Postgres restarted while a step runs: the run does not notice (C11)", async () => {
  const { id, door } = await heldRun();
  await cluster.postgres.restart("fast");
  door.open();
  await expectDoneOnce(id);
});

test("Postgres killed while a step runs: the run does not notice (C12)", async () => {
  const { id, door } = await heldRun();
  cluster.kill();
  await cluster.postgres.restart("immediate");
  door.open();
  await expectDoneOnce(id);
});

test("Postgres gone when a step ends: the commit is tried until it is back (C11)", async () => {
  const { id, door } = await heldRun();
  await cluster.postgres.stop("fast");
  const commits = world.gateway.inject({ on: "commit", when: "before", times: 9, act: () => undefined });
  door.open();
  await commits.injected;
  await cluster.postgres.restart();
  await expectDoneOnce(id);
  expect(commits.count).toBeGreaterThan(1);
});

test("Postgres gone for longer than a commit is tried: the step runs again, once more, and is journaled once (C11)", async () => {
  const { id, door } = await heldRun();
  await cluster.postgres.stop("fast");
  const commits = world.gateway.inject({ on: "commit", when: "before", times: 5, act: () => undefined });
  door.open();
  await eventually("the last try has failed", () => commits.count === 5);
  await cluster.postgres.restart();
  await answersAgain(cluster.database);
  expect(await world.run(id)).toMatchObject({ status: "running", turn: 1 });
  await world.expireLeases();
  await world.reaches(id, "completed");
  expect(steps(id)).toEqual(["count 1", "count 1", "count 2", "count 3"]);
  expect((await world.journal(id)).map(({ key, outcome }) => `${key} ${outcome}`)).toEqual([
    "count completed",
    "count#2 completed",
    "count#3 completed",
  ]);
});

test("a wake-up that finds Postgres gone comes again (C11)", async () => {
  world.broker.pause();
  const id = await world.start("count", { steps: 3 });
  await cluster.postgres.stop("fast");
  world.broker.resume();
  await eventually("the claim has failed", () => world.broker.retries === 1);
  await cluster.postgres.restart();
  await answersAgain(cluster.database);
  world.broker.hurry();
  await expectDoneOnce(id);
});

test("a tick that finds Postgres gone fails nothing, and the next one does its work (C11)", async () => {
  world.broker.deliveries = () => 0;
  const id = await world.start("count", { steps: 3 });
  world.broker.deliveries = () => 1;
  await world.database.moveClock(GRACE_MS + 1);
  await cluster.postgres.stop("fast");
  await world.worker.tick();
  await cluster.postgres.restart();
  await answersAgain(cluster.database);
  await world.worker.tick();
  await expectDoneOnce(id);
});

test("starts that were acknowledged survive a kill of Postgres, and all of them run (C12)", async () => {
  const acknowledged: string[] = [];
  let refused = 0;
  let stopped = false;
  const client = async (name: string) => {
    for (let i = 0; !stopped; i++) {
      const { status, body } = await world.worker.post(
        "/api/workflows/count/runs",
        { input: { steps: 1 } },
        { "idempotency-key": `${name}-${i}` },
      );
      if (status === 201) acknowledged.push((body as { id: string }).id);
      else {
        refused += 1;
        expect({ status, body }).toMatchObject({
          status: 503,
          body: { error: { code: "store_unavailable" } },
        });
      }
    }
  };
  const clients = ["a", "b", "c", "d"].map(client);
  for (let kills = 0; kills < 2; kills++) {
    const before = { acknowledged: acknowledged.length, refused };
    await eventually("starts are acknowledged", () => acknowledged.length > before.acknowledged + 20);
    cluster.kill();
    await eventually("starts are refused", () => refused > before.refused);
    await cluster.postgres.restart("immediate");
    await answersAgain(cluster.database);
  }
  const before = acknowledged.length;
  await eventually("starts are acknowledged again", () => acknowledged.length > before + 20);
  stopped = true;
  await Promise.all(clients);
  expect(await world.runs(acknowledged)).toHaveLength(acknowledged.length);
  const all = await world.database.rows<{ id: string }>("select id from pawl.runs");
  const ids = all.map(({ id }) => id);
  for (let i = 0; i < 3; i++) await world.expireLeases();
  await world.allReach(ids, "completed");
  for (const id of ids) expect(new Set(world.ledger.of(id).map((e) => e.idempotencyKey)).size).toBe(1);
});

test("backends that are terminated all the time cost time only, and no step its attempt (C9)", async () => {
  const ids = await world.startMany(
    "count",
    Array.from({ length: 60 }, () => ({ steps: 4 })),
  );
  let terminated = 0;
  await eventually("ten backends are terminated", async () => {
    const backends = await world.database.rows(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid() and query like '%pawl.%' limit 1`,
    );
    terminated += backends.length;
    // With every wake-up lost on the way, nobody would ask for a connection any more.
    if (backends.length === 0) await sweepAfterGrace();
    return terminated >= 10;
  });
  // What was claimed for nobody is taken back; what was to be woken and was not, is found.
  await world.expireLeases();
  await eventually("all runs complete", async () => {
    await sweepAfterGrace();
    return (await world.runs(ids)).every(({ status }) => status === "completed");
  });
  for (const id of ids) {
    const attempts = (await world.journal(id)).map(
      ({ key, outcome, attempt }) => `${key} ${outcome} ${attempt}`,
    );
    expect(attempts).toEqual([
      "count completed 1",
      "count#2 completed 1",
      "count#3 completed 1",
      "count#4 completed 1",
    ]);
  }
});

test("a database that is read-only after a failover is a 503 and fails no run (C13)", async () => {
  const { id, door } = await heldRun();
  await becomeReadOnly(true);
  const commits = world.gateway.inject({ on: "commit", when: "before", times: 5, act: () => undefined });
  door.open();
  await commits.injected;
  const refused = await world.worker.post("/api/workflows/count/runs", { input: { steps: 1 } });
  expect(refused).toMatchObject({ status: 503, body: { error: { code: "store_unavailable" } } });
  expect((await world.worker.get(`/api/runs/${id}`)).status).toBe(200);
  await eventually("the last try has failed", () => commits.count === 5);
  await becomeReadOnly(false);
  await world.expireLeases();
  await world.reaches(id, "completed");
  expect((await world.journal(id)).every(({ outcome }) => outcome === "completed")).toBe(true);
});

test("a database that takes no more connections is a 503, fails no run, and is used again once it does (C14)", async () => {
  const id = await world.start("nap", { ms: 3_600_000 });
  await eventually("the wake-up for its end is sent", () => world.broker.sent.length === 2);
  await world.database.rows("alter system set max_connections = 20");
  await cluster.postgres.restart("fast");
  await answersAgain(cluster.database);
  const greedy = await takeAllConnections();
  try {
    const refused = await world.worker.post("/api/workflows/count/runs", { input: { steps: 1 } });
    expect(refused).toMatchObject({ status: 503, body: { error: { code: "store_unavailable" } } });
    const { retryMessages } = await world.broker.deliver([{ v: 1, tenant: "default", runId: id }]);
    expect(retryMessages).toHaveLength(1);
  } finally {
    await Promise.all(greedy.map((client) => client.end()));
  }
  await answersAgain(cluster.database);
  expect(await world.run(id)).toMatchObject({ status: "waiting", turn: 1 });
  await world.database.moveClock(3_600_001);
  world.broker.hurry();
  await world.reaches(id, "completed");
});
