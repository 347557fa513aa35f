/** Both stores give the same answers to the same commands, and hold the same after each. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { postgresStore } from "../storage/support/bed.ts";
import type { TestDatabase } from "../support/database.ts";
import { Coverage } from "./coverage.ts";
import { BRANCH_WAYS, expectedAnswers, RUN_WAYS, waysIn } from "./expected.ts";
import { standingMemory } from "./memory-bed.ts";
import { play, type Stores } from "./play.ts";
import { callsOf, shrink } from "./shrink.ts";
import { START, standing, standingDatabase } from "./standing.ts";

/** Few that together show everything there is to show; when commands change, others are played until they do again. */
const TELLING = [3, 9, 20, 24, 28, 38, 51, 64, 79];
const MOST = 150;

/** More find more: `PAWL_SEEDS=2000 npx vitest run test/model/agreement.test.ts`. */
const { PAWL_SEEDS, PAWL_FIRST_SEED = "1" } = process.env;
const SEEDS = PAWL_SEEDS === undefined ? TELLING : seedsFrom(Number(PAWL_FIRST_SEED), Number(PAWL_SEEDS));
const COMMANDS = 300;

let database: TestDatabase;
let stores: Stores;

beforeAll(async () => {
  database = await standingDatabase();
  stores = { real: standing(await postgresStore(database), database), model: standingMemory(START) };
});
afterAll(() => database.drop());

function seedsFrom(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

const coverage = new Coverage();

async function agree(seed: number): Promise<void> {
  const numbers = Array.from({ length: COMMANDS }, (_, i) => i);
  const found = await play(stores, seed, numbers, coverage);
  if (found === null) return;
  const shrunk = await shrink(stores, seed, found);
  const { about, real, model } = shrunk.found;
  const calls = await callsOf(stores, seed, shrunk.numbers);
  expect(model, `${about} of seed ${seed} after\n${calls.join("\n")}\n`).toEqual(real);
}

describe("the same commands", () => {
  test.each(SEEDS)("of seed %i have the same answers, and leave the same rows", agree);
});

describe.skipIf(PAWL_SEEDS !== undefined)("all seeds together", () => {
  beforeAll(async () => {
    for (const seed of seedsFrom(1, MOST)) if (missing().length > 0) await agree(seed);
  }, 600_000);

  test("call every verb of the ports, and are given every answer that it can give", () => {
    expect([...coverage.answers].sort()).toEqual(expectedAnswers(stores.real).sort());
  });

  test("see every change of status of a run, and no other", () => {
    expect([...coverage.runs].sort()).toEqual(waysIn(RUN_WAYS).sort());
  });

  test("see every change of status of a branch, and no other", () => {
    expect([...coverage.branches].sort()).toEqual(waysIn(BRANCH_WAYS).sort());
  });

  test("hear every refusal of the storage", () => {
    expect([...coverage.errors]).toEqual(expect.arrayContaining(refusalsOfStorage()));
  });
});

/** What has not come by yet. */
function missing(): string[] {
  const expected = [
    ...expectedAnswers(stores.real),
    ...waysIn(RUN_WAYS),
    ...waysIn(BRANCH_WAYS),
    ...refusalsOfStorage(),
  ];
  const seen = new Set([...coverage.answers, ...coverage.runs, ...coverage.branches, ...coverage.errors]);
  return expected.filter((one) => !seen.has(one));
}

/** What says that the database is away or busy refuses nothing. */
const FAULTS = ["PawlError", "StoreUnavailable", "QueryTimeout"];

/** Classes of refusals that files of the storage import. */
function refusalsOfStorage(): string[] {
  const files = readdirSync("src/storage", { recursive: true, encoding: "utf8" });
  const sources = files
    .filter((name) => name.endsWith(".ts"))
    .map((name) => readFileSync(join("src/storage", name), "utf8"));
  const imports = sources.flatMap((source) => [
    ...source.matchAll(/import \{([^}]*)\} from "[./]*engine\/(?:refusals|errors)\.ts"/g),
  ]);
  const names = imports.flatMap(([, list = ""]) => list.split(",").map((name) => name.trim()));
  return [...new Set(names)].filter((name) => !FAULTS.includes(name));
}
