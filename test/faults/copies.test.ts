/** A copy of a database, such as a restored dump: nothing of it may reach the world that the original speaks to. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Effect } from "../support/ledger.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { eventually, gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

const HOUR_MS = 3_600_000;
const SECRET = `whsec_${Buffer.from("a secret of thirty-two bytes, no less").toString("base64")}`;

let world: World;
let receiver: Receiver;

beforeAll(async () => {
  receiver = await startReceiver();
  const sink = { name: "all", type: "webhook", url: receiver.url, secrets: [SECRET], types: ["*"] };
  world = await createWorld({ PAWL_EVENT_SINKS: JSON.stringify([sink]) });
});
afterEach(async () => {
  receiver.reset();
  await world.database.rows("truncate pawl.outbox, pawl.outbox_sends");
  await world.settle();
});
afterAll(async () => {
  await world?.stop();
  await receiver?.stop();
});

/** One run each that sleeps, waits, is due, is in a step and has branches under way; and events on their way. */
async function everythingUnderWay() {
  const { broker, ledger, worker } = world;
  const door = gate<Effect>();
  ledger.onEffect = (effect) => (effect.step === "before" ? undefined : door.pass(effect));
  const asleep = await world.start("nap", { ms: HOUR_MS });
  const waits = await world.start("awaiting", undefined, { version: 1 });
  await world.reaches(asleep, "waiting");
  await world.reaches(waits, "waiting");
  const running = await world.start("count", { steps: 1 });
  const apart = await world.start("fan", { width: 2 });
  await eventually("steps are under way", () => door.arrivals.length === 3);
  broker.deliveries = () => 0;
  const due = await world.start("count", { steps: 1 });
  await world.database.rows(
    `insert into pawl.outbox (tenant, id, run_id, workflow, type, emitted_at, routed_at)
     values ('default', 'new', $1, 'count', 'made', pawl.clock(), null), ('default', 'sent', $1, 'count', 'made', pawl.clock(), pawl.clock())`,
    [due],
  );
  await world.database.rows(
    `insert into pawl.outbox_sends (tenant, run_id, sink, seq, next_at)
     select tenant, run_id, 'all', seq, pawl.clock() from pawl.outbox where id = 'sent'`,
  );
  worker.kill();
  ledger.reset();
  await worker.restart({ paused: true });
  broker.reset();
  broker.resume();
  return { asleep, waits, running, apart, due };
}

/** What the copy would do by itself in a day. */
async function letADayPass(): Promise<void> {
  for (const ms of [HOUR_MS, 23 * HOUR_MS]) {
    await world.database.moveClock(ms);
    await world.worker.tick();
    await world.worker.idle();
    await world.worker.tick();
    await world.worker.idle();
  }
}

test("a copy that is held takes no step, ends no sleep and sends no event, until its runs are resumed (J9)", async () => {
  const { asleep, waits, running, apart, due } = await everythingUnderWay();
  await world.database.rows("select pawl.hold_everything()");
  await letADayPass();
  expect(world.ledger.effects).toEqual([]);
  expect(receiver.received).toEqual([]);
  const all = [asleep, waits, running, apart, due];
  for (const run of await world.runs(all))
    expect(run).toMatchObject({ status: "paused", lease_expires_at: null });
  for (const id of all) expect((await world.worker.post(`/api/runs/${id}/resume`)).status).toBe(200);
  await world.worker.post(`/api/runs/${waits}/signals/go`, { payload: { n: 1 } });
  await world.allReach(all, "completed");
  expect(receiver.received).toEqual([]);
});

test("a copy that is not held does all that the original would have done (J9)", async () => {
  const { asleep, running, apart, due } = await everythingUnderWay();
  await letADayPass();
  await world.allReach([asleep, running, apart, due], "completed");
  await eventually("the events are sent", () => receiver.received.length === 2);
});
