/** Children that end in every way there is: their parents are told, each once. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Effect } from "../support/ledger.ts";
import { eventually, gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

const childrenOf = async (id: string) => {
  const rows = await world.database.rows<{ id: string; status: string }>(
    "select id, status from pawl.runs where parent_id = $1 order by (input ->> 'number')::int",
    [id],
  );
  return rows as { id: string; status: string }[];
};

/** As if nobody had had the run's code since yesterday. */
const dueForADay = (id: string | undefined) =>
  world.database.rows("update pawl.runs set wake_at = wake_at - interval '1 day' where id = $1", [id]);

/** A parent whose children exist and have not begun; `wakeChildren` lets them. */
async function expectant(count: number) {
  const { broker } = world;
  const isParents = (body: unknown) => (body as { runId: string }).runId === parent;
  let parent = "";
  broker.pause();
  parent = await world.start("parent", { children: count });
  broker.deliveries = (body) => (isParents(body) ? 1 : 0);
  broker.resume();
  await eventually("the children are there", async () => (await childrenOf(parent)).length === count);
  await world.reaches(parent, "waiting");
  const children = await childrenOf(parent);
  const wakeChildren = async () => {
    broker.deliveries = () => 1;
    await broker.deliver(children.map(({ id }) => ({ v: 1, tenant: "default", runId: id })));
  };
  return { parent, children, wakeChildren };
}

test("a parent is told of a child that is past its deadline, has no code any more, or does not fit its journal (F6)", async () => {
  const { database } = world;
  const { parent, children, wakeChildren } = await expectant(3);
  const [late, gone, other] = children.map(({ id }) => id);
  await database.rows("update pawl.runs set deadline_at = pawl.clock() where id = $1", [late]);
  await database.rows("update pawl.runs set version = 99 where id = $1", [gone]);
  await dueForADay(gone);
  await database.rows(
    `insert into pawl.journal (tenant, run_id, seq, kind, key, outcome, attempt, turn, started_at, recorded_at)
     values ('default', $1, 1, 'step', 'of another workflow', 'completed', 1, 0, pawl.clock(), pawl.clock())`,
    [other],
  );
  await wakeChildren();
  const { output } = await world.reaches(parent, "completed");
  expect(output).toEqual([
    { status: "failed", cause: expect.stringContaining("deadline") },
    { status: "dead", cause: expect.stringContaining("version 99") },
    { status: "dead", cause: expect.stringContaining("of another workflow") },
  ]);
  expect(world.ledger.effects).toEqual([]);
});

test("children that one statement deletes all tell their parent, and it is woken once (F7)", async () => {
  const { parent, children } = await expectant(20);
  const deleted = await world.database.rows("delete from pawl.runs where parent_id = $1 returning id", [
    parent,
  ]);
  expect(deleted).toHaveLength(children.length);
  expect(await world.run(parent)).toMatchObject({ status: "waiting" });
  world.broker.deliveries = () => 1;
  await world.worker.tick();
  const { output, turn } = await world.reaches(parent, "completed");
  expect(turn).toBe(2);
  expect(output).toEqual(children.map(() => ({ status: "dead", cause: "The run was deleted." })));
});

test("a parent that dies between the ends of its children sees what both returned once it is revived (F9)", async () => {
  const { worker, ledger } = world;
  const door = gate<Effect>();
  ledger.onEffect = (effect) => (effect.step === "child 1" ? door.pass(effect) : undefined);
  const deploy = async (vars: Record<string, string>) => {
    await worker.idle();
    await worker.restart({ vars });
  };
  const { parent, wakeChildren } = await expectant(2);
  await deploy({ FORGOTTEN: "parent@1" });
  await wakeChildren();
  await eventually("one child is over", async () => (await world.run(parent)).wake_at !== null);
  await dueForADay(parent);
  await world.broker.deliver([{ v: 1, tenant: "default", runId: parent }]);
  await world.reaches(parent, "dead");
  await door.reached;
  door.open();
  await eventually("both children are over", async () =>
    (await childrenOf(parent)).every(({ status }) => status === "completed"),
  );
  await deploy({});
  expect((await worker.post(`/api/dead-letters/${parent}/revive`)).status).toBe(200);
  expect((await world.reaches(parent, "completed")).output).toEqual([0, 10]);
  expect(ledger.effects.map(({ step }) => step).sort()).toEqual(["child 0", "child 1"]);
  expect(await childrenOf(parent)).toHaveLength(2);
});

test("of a child's end and its cancel at the same time one counts, and the parent is told of that one, once (G3)", async () => {
  const { worker, ledger } = world;
  const count = 20;
  const door = gate<Effect>();
  ledger.onEffect = (effect) => door.pass(effect);
  const parent = await world.start("parent", { children: count });
  await eventually("all are in their step", () => door.arrivals.length === count);
  const before = await childrenOf(parent);
  // Their commits wait here until half of them are cancelled and the others are about to be.
  const commits = gate<unknown>();
  const held = world.gateway.inject({
    on: "commit",
    when: "before",
    times: count,
    act: async () => void (await commits.pass(0)),
  });
  door.open();
  await held.injected;
  const cancel = ({ id }: { id: string }) => worker.post(`/api/runs/${id}/cancel`);
  await Promise.all(before.slice(0, count / 2).map(cancel));
  const racing = before.slice(count / 2).map(cancel);
  commits.open();
  await Promise.all(racing);
  const { output } = await world.reaches(parent, "completed");
  const after = await childrenOf(parent);
  expect(after.slice(0, count / 2).every(({ status }) => status === "cancelled")).toBe(true);
  expect(output).toMatchObject(
    after.map(({ status }, i) => (status === "completed" ? i * 10 : { status: "cancelled" })),
  );
  const told = (await world.journal(parent)).map(({ kind, key }) => `${kind} ${key}`);
  expect(told).toHaveLength(count);
  expect(new Set(told).size).toBe(count);
  expect(await world.database.rows("select from pawl.deliveries")).toEqual([]);
});
