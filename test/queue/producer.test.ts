import { ulid } from "ulid";
import { expect, test } from "vitest";
import type { DueRun } from "../../src/engine/ports.ts";
import type { WakeUpMessage } from "../../src/queue/message.ts";
import { createWakeUps } from "../../src/queue/producer.ts";
import { seeded } from "../support/random.ts";

type Sent = MessageSendRequest<WakeUpMessage>;

function producing(count: number) {
  const sent = Array.from({ length: count }, (): Sent[][] => []);
  const refusing = new Set<number>();
  const reports: string[] = [];
  const queues = sent.map((batches, i) => ({
    binding: `queue ${i}`,
    queue: {
      sendBatch: async (messages: Iterable<Sent>) => {
        if (refusing.has(i)) throw new Error(`queue ${i} refuses`);
        batches.push([...messages]);
      },
    } as unknown as Queue<WakeUpMessage>,
  }));
  const wakeUps = createWakeUps({
    queues,
    random: seeded(1),
    report: (what, error) => reports.push(`${what}: ${(error as Error).message}`),
  });
  const sentTo = (i: number) =>
    (sent[i] ?? []).flat().map(({ body }) => ("runId" in body ? body.runId : "sweep"));
  return { wakeUps, sent, sentTo, refusing, reports };
}

const due = (count: number): DueRun[] =>
  Array.from({ length: count }, () => ({ tenant: "default", runId: ulid(), wakeInMs: 0 }));
const idsOf = (runs: readonly DueRun[]) => runs.map(({ runId }) => runId).toSorted();

test("each queue gets its share, in batches of at most 100", async () => {
  const { wakeUps, sent, sentTo } = producing(3);
  const runs = due(900);
  await wakeUps.send(runs);
  expect([0, 1, 2].flatMap(sentTo).toSorted()).toEqual(idsOf(runs));
  for (const batches of sent) {
    expect(batches.length).toBeGreaterThan(1);
    for (const batch of batches) expect(batch.length).toBeLessThanOrEqual(100);
  }
});

test("what one queue refuses the next one gets, and the operator is told", async () => {
  const { wakeUps, sentTo, refusing, reports } = producing(3);
  const runs = due(60);
  await wakeUps.send(runs);
  const before = [0, 1, 2].map(sentTo);
  refusing.add(1);
  await wakeUps.send(runs);
  expect(sentTo(0)).toEqual([...(before[0] ?? []), ...(before[0] ?? [])]);
  expect(sentTo(1)).toEqual(before[1]);
  const twoShares = [...(before[2] ?? []), ...(before[2] ?? []), ...(before[1] ?? [])];
  expect(sentTo(2).toSorted()).toEqual(twoShares.toSorted());
  const count = before[1]?.length;
  const told = `sending ${count} messages to queue 1, which the next queue is given: queue 1 refuses`;
  expect(reports).toEqual([told]);
});

test("the last queue gives its messages to the first", async () => {
  const { wakeUps, sentTo, refusing } = producing(2);
  refusing.add(1);
  const runs = due(40);
  await wakeUps.send(runs);
  expect(sentTo(0).toSorted()).toEqual(idsOf(runs));
});

test("when all refuse, the send fails once each of them was tried, and says why", async () => {
  const { wakeUps, refusing } = producing(2);
  refusing.add(0).add(1);
  await expect(wakeUps.send(due(40))).rejects.toThrow(/queue 1 refuses.*queue 0 refuses/);
});

test("the error of an only queue is passed on as it is", async () => {
  const { wakeUps, refusing, reports } = producing(1);
  refusing.add(0);
  await expect(wakeUps.send(due(5))).rejects.toThrow(/^queue 0 refuses$/);
  expect(reports).toEqual([]);
});

test("wake-ups that a sweep sends again go round all queues, so that none can lose a run's each time", async () => {
  const { wakeUps, sentTo } = producing(3);
  const runs = due(30);
  await wakeUps.sendAgain(runs);
  expect([0, 1, 2].map((i) => sentTo(i).length)).toEqual([10, 10, 10]);
  const [lone] = due(1);
  for (let i = 0; i < 40; i++) await wakeUps.sendAgain(lone === undefined ? [] : [lone]);
  for (const i of [0, 1, 2]) expect(sentTo(i)).toContain(lone?.runId);
});

test("sweeps are asked for through any queue, and through another where one refuses", async () => {
  const { wakeUps, sentTo, refusing } = producing(3);
  for (let i = 0; i < 40; i++) await wakeUps.sweepAgain();
  for (const i of [0, 1, 2]) expect(sentTo(i)).toContain("sweep");
  refusing.add(0).add(2);
  const before = sentTo(1).length;
  for (let i = 0; i < 10; i++) await wakeUps.sweepAgain("events", 2);
  expect(sentTo(1).length).toBe(before + 10);
});

test("a delay beyond what a queue can do is left to the sweep", async () => {
  const { wakeUps, sent } = producing(2);
  const runs = due(2).map((run, i) => ({ ...run, wakeInMs: i === 0 ? 86_400_000 : 86_399_500 }));
  await wakeUps.send(runs);
  const messages = sent.flat(2);
  expect(messages).toMatchObject([
    { delaySeconds: 86_399, body: { runId: runs[1]?.runId, delayMs: 86_399_500 } },
  ]);
});
