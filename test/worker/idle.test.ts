/** A cron that knows of nothing to do asks the database for nothing, and loses nothing by it: over simulated minutes. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Effect } from "../support/ledger.ts";
import { eventually, gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const LEASE_MS = 600_000;
/** Until it is idle the cron reads one mark for three minutes. */
const SETTLED_TICKS = 5;

let world: World;
/** The cron's time. */
let now: number;

beforeAll(async () => {
  world = await createWorld({}, undefined, undefined, { hasAgenda: true });
});
beforeEach(async () => {
  await world.database.rows("truncate pawl.ticks");
  await write({ mark: null, idle: null });
  await afresh();
  now = Date.UTC(2026, 0, 1);
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

/** An isolate that has marked nothing yet. */
const afresh = (vars?: Readonly<Record<string, string>>) =>
  world.worker.restart(vars === undefined ? {} : { vars });

/** A minute goes by, and the cron ticks. */
async function tick(): Promise<void> {
  now += MINUTE_MS;
  await world.database.moveClock(MINUTE_MS);
  await world.worker.tick(new Date(now));
}

async function ticks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await tick();
}

/** Ticks until one of them says that nothing is to come; from here on the statements are counted. */
async function becomeIdle(): Promise<void> {
  await world.worker.idle();
  await ticks(SETTLED_TICKS);
  expect(world.gateway.count("idle")).toBe(1);
  await world.gateway.reset();
}

const asked = () => world.gateway.answered.map(({ verb }) => verb);

/** As many ticks as it takes, at most so many, until that is so. */
async function ticksUntil(most: number, isSo: () => Promise<boolean>): Promise<number> {
  for (let count = 1; count <= most; count++) {
    await tick();
    await world.worker.idle();
    if (await isSo()) return count;
  }
  throw new Error(`It was not so after ${most} ticks.`);
}

const isOver = (id: string) => async () => (await world.run(id)).status === "completed";

/** What the namespace holds, as text. */
interface Held {
  readonly mark: string | null;
  readonly idle: string | null;
}

async function read(): Promise<Held> {
  const kv = await world.worker.agenda();
  return { mark: await kv.get("mark"), idle: await kv.get("idle") };
}

async function write(held: Held): Promise<void> {
  const kv = await world.worker.agenda();
  for (const [key, value] of Object.entries(held)) {
    if (value === null) await kv.delete(key);
    else await kv.put(key, value);
  }
}

/** Puts so many far-off sleepers beside the one that sleeps already. */
const multiply = (id: string, count: number) =>
  world.database.rows(
    `insert into pawl.runs select c.* from pawl.runs r, generate_series(1, $2::int) n,
     jsonb_populate_record(r, jsonb_build_object('id', '01ARZ3NDEKTSV4RRFF' || lpad(n::text, 8, '0'))) c where r.id = $1`,
    [id, count - 1],
  );

test("with nothing live a tick sends no statement at all", async () => {
  await becomeIdle();
  await ticks(50);
  expect(asked()).toEqual([]);
});

test("with 1,000 far-off sleepers a tick sends no statement at all", async () => {
  const id = await world.start("nap", { ms: 30 * 24 * HOUR_MS });
  await world.reaches(id, "waiting");
  await multiply(id, 1_000);
  await becomeIdle();
  await ticks(50);
  expect(asked()).toEqual([]);
});

test("the safety sweep comes after an hour, and is followed by another idle hour", async () => {
  await becomeIdle();
  await ticks(120);
  expect(asked().filter((verb) => verb === "tick")).toHaveLength(2);
  expect(asked().filter((verb) => verb === "idle")).toHaveLength(2);
});

test("a run that is due and that nobody takes keeps the cron awake", async () => {
  world.broker.deliveries = () => 0;
  const id = await world.start("count", { steps: 1 });
  await ticks(SETTLED_TICKS + 3);
  expect(world.gateway.count("tick")).toBe(SETTLED_TICKS + 3);
  expect(world.gateway.count("idle")).toBe(0);
  world.broker.deliveries = () => 1;
  await tick();
  await world.reaches(id, "completed");
});

/** A run whose first wake-up the queue loses. */
async function startUnheard(): Promise<string> {
  world.broker.deliveries = () => 0;
  const id = await world.start("count", { steps: 1 });
  world.broker.deliveries = () => 1;
  return id;
}

test("a sleeper is woken in time by an idle cron, though its wake-up is lost", async () => {
  const id = await world.start("nap", { ms: HOUR_MS / 2 });
  await world.reaches(id, "waiting");
  const { wake_at } = await world.run(id);
  world.broker.reset();
  await becomeIdle();
  await ticksUntil(40, isOver(id));
  const [late] = await world.database.rows<{ ms: number }>(
    "select extract(epoch from finished_at - $2::timestamptz) * 1000 as ms from pawl.runs where id = $1",
    [id, wake_at],
  );
  // Two ticks, and whatever the machine takes meanwhile; the safety sweep would be half an hour late.
  expect(Number(late?.ms)).toBeLessThan(3 * MINUTE_MS);
});

test("a start whose wake-up is lost is found by an idle cron", async () => {
  await becomeIdle();
  await afresh();
  const id = await startUnheard();
  expect(await ticksUntil(3, isOver(id))).toBeLessThanOrEqual(2);
});

test("a start is found as soon, when every read of the agenda is a minute old", async () => {
  await becomeIdle();
  await afresh();
  const before = await read();
  const id = await startUnheard();
  const after = await read();
  expect(after.mark).not.toBe(before.mark);
  await write(before);
  await tick();
  expect((await world.run(id)).status).toBe("ready");
  await write(after);
  expect(await ticksUntil(3, isOver(id))).toBeLessThanOrEqual(2);
});

test("a turn that was killed is taken back by a cron that was idle when it began", async () => {
  await becomeIdle();
  await afresh();
  const door = gate<Effect>();
  world.ledger.onEffect = (effect) => door.pass(effect);
  const id = await world.start("count", { steps: 1 });
  await door.reached;
  world.worker.kill();
  world.ledger.reset();
  await afresh();
  await ticksUntil(LEASE_MS / MINUTE_MS + 4, isOver(id));
  expect(await world.journal(id)).toHaveLength(1);
});

test("a signal wakes its run while the cron is idle, though the wake-up is lost", async () => {
  const id = await world.start("awaiting");
  await world.waitsFor(id, "go");
  await becomeIdle();
  await afresh();
  world.broker.deliveries = () => 0;
  const { status } = await world.worker.post(`/api/runs/${id}/signals/go`, { payload: { n: 1 } });
  expect(status).toBe(202);
  world.broker.deliveries = () => 1;
  expect(await ticksUntil(3, isOver(id))).toBeLessThanOrEqual(2);
});

test("what is changed within a minute is marked once", async () => {
  await world.start("idle", { steps: 0 });
  const { mark } = await read();
  for (let i = 0; i < 20; i++) await world.start("idle", { steps: 3 });
  await world.worker.idle();
  expect(mark).not.toBeNull();
  expect((await read()).mark).toBe(mark);
});

test("reading marks nothing, nor does what is refused for its token", async () => {
  await world.worker.get("/api/runs");
  await world.worker.fetch("/api/workflows/idle/runs", {
    method: "POST",
    headers: { authorization: "Bearer nonsense-0123456789" },
  });
  expect((await read()).mark).toBeNull();
});

test("a mark that is lost costs no more than the safety sweep", async () => {
  await becomeIdle();
  await afresh();
  const before = await read();
  const id = await startUnheard();
  await write(before);
  expect(await ticksUntil(62, isOver(id))).toBeGreaterThan(30);
});

test.each(["mark", "idle"] as const)("a tick sweeps when the agenda has lost its %s", async (key) => {
  await becomeIdle();
  await write({ ...(await read()), [key]: null });
  await tick();
  expect(asked()).toContain("tick");
});

test("what is in the agenda and makes no sense is no reason to be idle", async () => {
  await becomeIdle();
  await write({ ...(await read()), idle: '{"mark":7}' });
  await tick();
  expect(asked()).toContain("tick");
});

test("while the agenda refuses, every tick sweeps, requests are answered and the queue is asked for a sweep", async () => {
  await becomeIdle();
  await afresh({ AGENDA_REFUSES: "true" });
  world.broker.deliveries = () => 0;
  const id = await world.start("count", { steps: 1 });
  expect(world.broker.sent.filter(({ body }) => "sweep" in (body as object))).toMatchObject([
    { delaySeconds: 60 },
  ]);
  world.broker.deliveries = () => 1;
  await world.database.moveClock(MINUTE_MS);
  world.broker.hurry();
  await world.gateway.reset();
  await ticksUntil(2, isOver(id));
  await ticks(SETTLED_TICKS);
  expect(world.gateway.count("tick")).toBeGreaterThanOrEqual(SETTLED_TICKS + 1);
});

test("health says that an idle cron is, and how long one has been silent that should be back", async () => {
  await becomeIdle();
  await ticks(30);
  const health = async () => (await world.worker.get("/healthz")).body as Record<string, unknown>;
  expect(await health()).toMatchObject({ status: "ok", tickAgeMs: 0, idleUntil: expect.any(String) });
  await world.database.moveClock(HOUR_MS);
  expect((await health()).tickAgeMs).toBeGreaterThan(HOUR_MS / 2 - MINUTE_MS);
});

test("a consumer sweeps for no cron that is idle (E10)", async () => {
  await becomeIdle();
  await ticks(30);
  await afresh();
  await world.gateway.reset();
  await world.broker.deliver([{ v: 1, tenant: "default", runId: "01ARZ3NDEKTSV4RRFF00000000" }]);
  await eventually("it has asked for the last tick", () => world.gateway.count("read") > 0);
  await world.worker.idle();
  expect(world.gateway.count("reclaim")).toBe(0);
});
