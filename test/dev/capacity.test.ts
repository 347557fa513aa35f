/** The simulation behind bench/CAPACITY.md: it knows what limits a deployment, and says the same every time. */
import { expect, test } from "vitest";
import { LOCAL, PRODUCTION } from "../../bench/capacity/parameters.ts";
import { Timeline } from "../../bench/capacity/timeline.ts";
import { load, w1, w3 } from "../../bench/capacity/workloads.ts";

/** A tenth of what a queue accepts: quick to simulate. */
const SMALL = { ...PRODUCTION, messagesPerSecond: 500, consumers: 50, cores: 2 };

test("what is due first happens first, and of two at the same time the one that was asked for first", () => {
  const timeline = new Timeline();
  const happened: string[] = [];
  for (const [ms, what] of [
    [5, "d"],
    [1, "a"],
    [3, "b"],
    [3, "c"],
    [9, "never"],
  ] as const) {
    timeline.after(ms, () => happened.push(what));
  }
  timeline.runUntil(8);
  expect(happened).toEqual(["a", "b", "c", "d"]);
});

test("the same parameters give the same figures", () => {
  expect(load(SMALL, 500)).toEqual(load(SMALL, 500));
});

test("a queue carries no more than it accepts, and a second one carries as much again", () => {
  const one = load(SMALL, 1_000);
  expect(one).toMatchObject({ limit: "messages" });
  expect(one.stepsPerSecond).toBeGreaterThan(450);
  expect(one.stepsPerSecond).toBeLessThan(550);
  const two = load({ ...SMALL, queues: 2 }, 2_000);
  expect(two.stepsPerSecond / one.stepsPerSecond).toBeGreaterThan(1.8);
});

test("where Postgres is too small, no queue helps", () => {
  const slow = { ...SMALL, cores: 1, claim: { perCallMs: 10, perTurnMs: 2 } };
  const loads = [2, 4].map((queues) => load({ ...slow, queues }, 2_000));
  expect(loads.map(({ limit }) => limit)).toEqual(["cores", "cores"]);
});

test("where steps are slow, the consumers are the limit", () => {
  const slow = load({ ...SMALL, consumers: 3, stepMs: 1_000 }, 1_000);
  expect(slow).toMatchObject({ limit: "consumers" });
  expect(slow.stepsPerSecond).toBeLessThan(3 * SMALL.batchSize);
});

test("too few runs come to no limit", () => {
  expect(load(SMALL, 5).limit).toBeNull();
});

test("a lone step takes its hop, its two round trips and its turn", () => {
  const { hopMs, roundTripMs, claim, commit, turnCpuMs, turnMs, sendMs } = LOCAL;
  const calls = [claim, commit].map(({ perCallMs, perTurnMs }) => roundTripMs + perCallMs + perTurnMs);
  const step = hopMs + calls.reduce((sum, ms) => sum + ms) + turnCpuMs + turnMs;
  expect(w1(LOCAL)).toBeCloseTo(step + sendMs / 20, 1);
});

test("a fork shares claims and commits", () => {
  expect(w3(LOCAL)).toBeLessThan(20 * w1(LOCAL));
});
