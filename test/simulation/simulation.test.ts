/** A part of what `npm run simulate` does: the same seeds every time, and some that nobody has seen. */
import { beforeAll, describe, expect, test } from "vitest";
import { createMemory } from "../model/memory.ts";
import { FAULTS } from "./config.ts";
import { type Explored, explore, replay } from "./explore.ts";

const FIXED = 600;
const FRESH = 300;

/** What no simulated user asks for is left to the conformance suite of the store. */
const UNASKED = ["forkRun", "discardRun", "redeliverEvent"];

const VERBS = [...Object.keys(createMemory().store), "run"].filter((verb) => !UNASKED.includes(verb));

const MOVES = [
  ...["ready → running", "ready → paused", "ready → cancelled", "running → ready", "running → waiting"],
  ...[
    "running → paused",
    "running → completed",
    "running → failed",
    "running → cancelled",
    "waiting → ready",
  ],
  ...["waiting → running", "waiting → paused", "waiting → cancelled", "paused → ready", "paused → cancelled"],
];

function expectNothingFound({ findings }: Explored): void {
  const told = findings.map(({ seed, error }) => `npm run simulate -- --seed ${seed}: ${error.message}`);
  expect(told).toEqual([]);
}

describe("the same seeds every time", () => {
  let explored: Explored;
  beforeAll(async () => {
    explored = await explore(1, FIXED);
  }, 300_000);

  test("show no violation: whatever breaks, everything comes to its end, as its program says", () => {
    expect(explored.seeds).toBe(FIXED);
    expectNothingFound(explored);
  });

  test("have every fault strike, call every verb and see every change of status", () => {
    const missing = [
      ...FAULTS.filter((fault) => fault !== "skew" && !explored.struck.has(fault)),
      ...VERBS.filter((verb) => !explored.verbs.has(verb)),
      ...MOVES.filter((move) => !explored.moves.has(move)),
    ];
    expect(missing).toEqual([]);
  });

  test("a seed does the same whenever it is run", async () => {
    const [one, other] = await Promise.all([replay(17), replay(17)]);
    expect(one.trace.length).toBeGreaterThan(20);
    expect(one).toEqual(other);
  });
});

test("seeds that nobody has seen show no violation", async () => {
  expectNothingFound(await explore(Math.floor(Math.random() * 2 ** 31), FRESH));
}, 300_000);
