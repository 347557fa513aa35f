import { ulid } from "ulid";
import { expect, test } from "vitest";
import { chooseQueues } from "../../src/queue/choose-queues.ts";

const NOW = Date.UTC(2026, 0, 1);

const runs = (count: number) => Array.from({ length: count }, () => ({ runId: ulid(NOW) }));
const branchesOf = (runId: string, count: number) =>
  Array.from({ length: count }, (_, i) => ({ runId, branch: `item#${i}` }));

function tally(choices: readonly number[], queues: number): number[] {
  return Array.from({ length: queues }, (_, queue) => choices.filter((choice) => choice === queue).length);
}

test("with one queue, everything goes to it", () => {
  const due = [...runs(10), ...branchesOf(ulid(NOW), 100)];
  expect(new Set(chooseQueues(due, 1))).toEqual(new Set([0]));
});

test.each([2, 3, 4, 7, 10, 16])(
  "runs spread evenly over %i queues, also those of one millisecond",
  (queues) => {
    const shares = tally(chooseQueues(runs(3_000), queues), queues);
    for (const share of shares) {
      expect(share).toBeGreaterThan((3_000 / queues) * 0.7);
      expect(share).toBeLessThan((3_000 / queues) * 1.3);
    }
  },
);

test("a run keeps to its queue, whatever is sent with it", () => {
  const due = runs(50);
  const alone = due.map((run) => chooseQueues([run], 3)[0]);
  expect(chooseQueues(due, 3)).toEqual(alone);
  expect(chooseQueues(due.toReversed(), 3)).toEqual(alone.toReversed());
});

test("the branches of a small fork stay with their run", () => {
  for (const { runId } of runs(20)) {
    const [home] = chooseQueues([{ runId }], 3);
    expect(new Set(chooseQueues(branchesOf(runId, 30), 3))).toEqual(new Set([home]));
  }
});

test("the branches of a wide fork go to all queues, a batch of them together", () => {
  const [first] = runs(1);
  const choices = chooseQueues(branchesOf(first?.runId ?? "", 200), 3);
  expect(tally(choices, 3).toSorted()).toEqual([60, 60, 80]);
  for (let i = 0; i < 200; i += 30) expect(new Set(choices.slice(i, i + 30)).size).toBe(1);
});
