/** What becomes of live runs when the code of their workflow changes. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createWorld, type World } from "../support/world.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(async () => {
  await world.settle();
  await world.worker.restart();
});
afterAll(() => world?.stop());

const deploy = (vars: Record<string, string>) => world.worker.restart({ vars });
const stepsOf = (id: string) => world.ledger.of(id).map(({ step }) => step);
const go = (id: string) => world.worker.post(`/api/runs/${id}/signals/go`, { payload: { n: 1 } });
const revive = (id: string) => world.worker.post(`/api/dead-letters/${id}/revive`);

test("a run keeps the version that it began with while that is registered", async () => {
  await deploy({ FORGOTTEN: "awaiting@2" });
  const id = await world.start("awaiting");
  expect(await world.reaches(id, "waiting")).toMatchObject({ version: 1 });
  await deploy({});
  await go(id);
  expect(await world.reaches(id, "completed")).toMatchObject({ version: 1, output: { version: 1 } });
  const newer = await world.start("awaiting");
  await go(newer);
  expect(await world.reaches(newer, "completed")).toMatchObject({ version: 2, output: { version: 2 } });
});

test("a run whose version is gone for a day is dead by name, keeps its signal, and goes on once the version is back (J4)", async () => {
  const id = await world.start("awaiting", undefined, { version: 1 });
  await world.reaches(id, "waiting");
  await deploy({ FORGOTTEN: "awaiting@1" });
  await go(id);
  await world.database.moveClock(24 * 3_600_000);
  await world.worker.tick();
  const { failure } = await world.reaches(id, "dead");
  expect(failure?.code).toBe("workflow_not_found");
  expect(failure?.message).toContain('"awaiting" version 1');
  await deploy({});
  expect((await revive(id)).status).toBe(200);
  expect(await world.reaches(id, "completed")).toMatchObject({ version: 1, output: { given: { n: 1 } } });
  expect(stepsOf(id)).toEqual(["before", "after"]);
});

test("a run that the code does not fit any more is dead with both sides named, and goes on after the fix (J1)", async () => {
  const id = await world.start("renaming");
  await world.reaches(id, "waiting");
  await deploy({ RENAMED: "begin" });
  await go(id);
  const { failure } = await world.reaches(id, "dead");
  expect(failure?.code).toBe("journal_mismatch");
  expect(failure?.message).toContain('holds step "first"');
  expect(failure?.message).toContain('asks for "begin"');
  // What was not mended is dead again, and nothing was done.
  await revive(id);
  await world.reaches(id, "dead");
  expect(stepsOf(id)).toEqual(["first"]);
  await deploy({});
  await revive(id);
  expect(await world.reaches(id, "completed")).toMatchObject({ output: "done" });
  expect(stepsOf(id)).toEqual(["first", "last"]);
});

test("a fork of a run whose version is gone goes on with the newest", async () => {
  const id = await world.start("awaiting", undefined, { version: 1 });
  await go(id);
  await world.reaches(id, "completed");
  await deploy({ FORGOTTEN: "awaiting@1" });
  const { status, body } = await world.worker.post(`/api/runs/${id}/fork`, { from: "after" });
  expect([status, body]).toMatchObject([201, { version: 2 }]);
  const forked = (body as { id: string }).id;
  expect(await world.reaches(forked, "completed")).toMatchObject({ output: { version: 2, given: { n: 1 } } });
  expect(stepsOf(forked)).toEqual(["after"]);
});
