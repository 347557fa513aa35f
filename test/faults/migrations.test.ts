/** Migrations applied while runs are under way, kept waiting, killed half-way, and applied again. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { migrate } from "../../scripts/migrate.ts";
import { openSession, type Session, untilBlocked } from "../storage/support/sessions.ts";
import { openDatabase } from "../support/database.ts";
import { throwawayFolder } from "../support/postgres.ts";
import { eventually } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

const OWN = join(import.meta.dirname, "..", "..", "migrations");
const ALL = readdirSync(OWN).sort();
/** The oldest schema on which the worker takes turns: whatever comes after it is applied under its feet. */
const OLDEST = ALL.findIndex((name) => name.startsWith("0009"));
const STEPS = 5;
const BATCH = 30;
/** Altogether they touch what every turn locks. */
const TOUCHING = `create table pawl.half_way (id int);
  alter table pawl.runs add column half_way int;
  alter table pawl.journal add column half_way int;`;

let world: World;
let folder: string;
let made = 0;
let starting = false;
let reader: Session | undefined;

beforeEach(async () => {
  folder = throwawayFolder();
  for (const name of ALL.slice(0, OLDEST + 1)) add(name);
  const admin = await openSession(inject("postgresUrl"));
  const name = `migrated_under_load_${process.pid}_${++made}`;
  await admin.query(`create database ${name}`);
  const url = new URL(inject("postgresUrl"));
  url.pathname = `/${name}`;
  await migrate(url.href, { folder });
  const drop = async () => {
    await admin.query(`drop database ${name} with (force)`);
    await admin.end();
  };
  world = await createWorld({}, openDatabase(url.href, drop));
});
afterEach(async () => {
  starting = false;
  await release();
  await migrate(world.database.url);
  await world.settle();
  await world.stop();
  rmSync(folder, { recursive: true });
});

const add = (name: string) => cpSync(join(OWN, name), join(folder, name));
const addAll = () => ALL.forEach(add);
const apply = (tries?: number) => migrate(world.database.url, { folder, ...(tries ? { tries } : {}) });

async function unfinished(): Promise<number> {
  return (await world.database.rows("select from pawl.runs where finished_at is null")).length;
}

/** Starts runs until it is told to stop, so that some are under way all the time; then gives the ids of all. */
function keepStarting(): () => Promise<string[]> {
  const ids: string[] = [];
  const startMore = async () => {
    while (starting) {
      const inputs = Array.from({ length: BATCH }, () => ({ steps: STEPS }));
      ids.push(...(await world.startMany("count", inputs)));
      await eventually("there is room for more", async () => {
        const left = await unfinished();
        if (left < BATCH) return true;
        throw new Error(`${left} are unfinished`);
      });
    }
  };
  starting = true;
  const started = startMore();
  // A test that failed before it asked has told why already.
  started.catch(() => {});
  return async () => {
    starting = false;
    await started;
    return ids;
  };
}

/** Resolves once as many more steps have been done as a batch has runs. */
async function getsOn(): Promise<void> {
  const { effects } = world.ledger;
  const before = effects.length;
  await eventually("more steps are done", () => effects.length >= before + BATCH);
}

async function expectAllDoneOnce(ids: readonly string[]): Promise<void> {
  await world.allReach(ids, "completed");
  for (const run of await world.runs(ids)) expect(run).toMatchObject({ turn: STEPS, lost_turns: 0 });
  expect(world.ledger.effects).toHaveLength(ids.length * STEPS);
  expect(new Set(world.ledger.effects.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(
    ids.length * STEPS,
  );
}

/** A transaction that has read the runs and stays open: until its release, no table that it has seen can be altered. */
async function readAndStay(): Promise<void> {
  reader = await openSession(world.database.url);
  await reader.query("begin");
  await reader.query("select count(*) from pawl.runs");
}

async function release(): Promise<void> {
  await reader?.end();
  reader = undefined;
}

async function expectNothingOf(name: string): Promise<void> {
  const { rows } = world.database;
  expect(await rows("select from pawl.migrations where name = $1", [name])).toEqual([]);
  expect(await rows("select to_regclass('pawl.half_way') as found")).toEqual([{ found: null }]);
}

test("each migration is applied while turns go on, and costs none of them (J5)", async () => {
  const stop = keepStarting();
  const later = ALL.slice(OLDEST + 1);
  expect(later.length).toBeGreaterThan(0);
  for (const name of later) {
    await getsOn();
    add(name);
    expect(await apply()).toEqual([name]);
    await getsOn();
  }
  expect(await apply()).toEqual([]);
  await expectAllDoneOnce(await stop());
  const [stats] = await world.database.rows<{ deadlocks: string }>(
    "select deadlocks from pg_stat_database where datname = current_database()",
  );
  expect(Number(stats?.deadlocks)).toBe(0);
});

test("one that cannot have its lock gives up and changes nothing, turns go on, and again it is applied (J5)", async () => {
  addAll();
  await apply();
  writeFileSync(join(folder, "9000_half_way.sql"), TOUCHING);
  const stop = keepStarting();
  await getsOn();
  await readAndStay();
  await expect(apply(2)).rejects.toThrow(
    "9000_half_way.sql failed and changed nothing: canceling statement due to lock timeout",
  );
  await expectNothingOf("9000_half_way.sql");
  await getsOn();
  await release();
  expect(await apply()).toEqual(["9000_half_way.sql"]);
  await getsOn();
  await expectAllDoneOnce(await stop());
});

test("while one waits for its lock turns go on, and it is applied as soon as it can have it (J5)", async () => {
  addAll();
  await apply();
  writeFileSync(join(folder, "9000_half_way.sql"), TOUCHING);
  const stop = keepStarting();
  await getsOn();
  await readAndStay();
  const applied = apply();
  for (let i = 0; i < 3; i++) {
    await untilBlocked(world.database, 1);
    await getsOn();
  }
  await expectNothingOf("9000_half_way.sql");
  await release();
  expect(await applied).toEqual(["9000_half_way.sql"]);
  await getsOn();
  await expectAllDoneOnce(await stop());
});

test("one whose process is killed half-way changes nothing, and again it is applied (J5)", async () => {
  addAll();
  await apply();
  writeFileSync(join(folder, "9000_half_way.sql"), TOUCHING);
  const ids = await world.startMany("count", [{ steps: STEPS }]);
  await readAndStay();
  const script = JSON.stringify(join(import.meta.dirname, "..", "..", "scripts", "migrate.ts"));
  const migrating = spawn(process.execPath, [
    "--input-type=module",
    "--eval",
    `const { migrate } = await import(${script});
     await migrate(${JSON.stringify(world.database.url)}, { folder: ${JSON.stringify(folder)} });`,
  ]);
  await untilBlocked(world.database, 1);
  migrating.kill("SIGKILL");
  expect(await once(migrating, "exit")).toEqual([null, "SIGKILL"]);
  await release();
  expect(await apply()).toEqual(["9000_half_way.sql"]);
  await expectAllDoneOnce(ids);
});
