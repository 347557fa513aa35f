/** A part of what `npm run simulate` does: the same seeds every time, and some that nobody has seen. */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { createMemory } from "../model/memory.ts";
import { FAULTS } from "./config.ts";
import { type Explored, explore, replay } from "./explore.ts";

const FIXED = 2_000;
const FRESH = 300;

/** `run` is that of the transactions. */
const VERBS = [...Object.keys(createMemory().store), "run"];

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
  ...["running → dead", "dead → ready"],
];

/** Codes that no simulation comes to, and why. */
const OUT_OF_REACH: Readonly<Record<string, string>> = {
  invalid_graph: "thrown by code that defines a graph, before there is a run of it",
  invalid_sequence: "thrown by code that defines a sequence",
  nondeterministic_call: "heard by determinism.ts, which listens in a worker's globals",
  journal_too_large: "50,000 entries, or 32 MB of values",
  state_not_found: "the answer to a read over HTTP",
  entry_not_found: "the answer to a read over HTTP",
  query_timeout: "the answer to a read over HTTP",
  bulk_not_found: "the answer to a request over HTTP: no bulk action is ever started",
  bulk_over: "the answer to a request over HTTP: no bulk action is ever started",
};

/** Of every error that the engine knows. */
function codesIn(file: string): string[] {
  const found = readFileSync(file, "utf8").matchAll(/readonly code(?:: string)? = "(\w+)"/g);
  return [...found].flatMap(([, code]) => code ?? []);
}

const CODES = ["errors", "refusals", "retry"].flatMap((file) => codesIn(`src/engine/${file}.ts`));

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

  test("come to every failure and to every refusal that a simulation can come to", () => {
    const isOutOfReach = (code: string) => OUT_OF_REACH[code] !== undefined;
    expect(CODES.filter((code) => !explored.codes.has(code) && !isOutOfReach(code))).toEqual([]);
    expect(CODES.filter((code) => explored.codes.has(code) && isOutOfReach(code))).toEqual([]);
    expect(Object.keys(OUT_OF_REACH).filter((code) => !CODES.includes(code))).toEqual([]);
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
