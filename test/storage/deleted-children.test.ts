/** No verb deletes runs; whoever does it by hand, the parent that waits for one is told. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { type Bed, postgresStore, toBed } from "./support/bed.ts";
import { newRun } from "./support/builders.ts";
import { inboxOf, withChild, withChildren } from "./support/family.ts";

let database: TestDatabase;
let bed: Bed;
beforeAll(async () => {
  database = await createDatabase();
  bed = toBed(await postgresStore(database));
});
afterAll(() => database.drop());

test("a child that is deleted is told of as dead, and its parent is due", async () => {
  const { parent, child } = await withChild(bed);
  await database.rows("delete from pawl.runs where id = $1", [child.runId]);
  expect(await inboxOf(bed, parent)).toEqual(["child child dead"]);
  expect((await bed.claim(parent)).inbox).toMatchObject([
    { kind: "child", sender: child.runId, failure: { code: "child_deleted" } },
  ]);
});

test("of many that one statement deletes each is told of, once", async () => {
  const parent = await bed.startAndClaim();
  const children = await withChildren(
    bed,
    parent,
    Array.from({ length: 5 }, () => newRun()),
  );
  await database.rows("delete from pawl.runs where parent_id = $1", [parent.runId]);
  expect((await inboxOf(bed, parent)).sort()).toEqual(
    children.map(({ runId }) => `child ${runId} dead`).sort(),
  );
});

test("a run that nobody waits for, and one whose end was told, are deleted in silence", async () => {
  const { parent, child } = await withChild(bed);
  await bed.store.cancelRun(child, false);
  const before = await inboxOf(bed, parent);
  await database.rows("delete from pawl.runs where id = $1", [child.runId]);
  const alone = await bed.start();
  await database.rows("delete from pawl.runs where id = $1", [alone.runId]);
  expect(await inboxOf(bed, parent)).toEqual(before);
});
