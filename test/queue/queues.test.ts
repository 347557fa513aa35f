import { expect, test } from "vitest";
import { findQueues } from "../../src/queue/queues.ts";

const queue = { sendBatch: async () => {} };
const found = (bindings: object) => findQueues(bindings).map(({ binding }) => binding);

test("every binding with a number is one more queue, in the order of their numbers", () => {
  expect(found({ WAKE_UPS: queue })).toEqual(["WAKE_UPS"]);
  expect(found({ WAKE_UPS_10: queue, WAKE_UPS_2: queue, WAKE_UPS: queue, WAKE_UPS_3: queue })).toEqual([
    "WAKE_UPS",
    "WAKE_UPS_2",
    "WAKE_UPS_3",
    "WAKE_UPS_10",
  ]);
});

test("one in the middle may be taken away", () => {
  expect(found({ WAKE_UPS: queue, WAKE_UPS_3: queue })).toEqual(["WAKE_UPS", "WAKE_UPS_3"]);
});

test("other bindings are none of them", () => {
  const others = { WAKE_UPS_OF_OTHERS: queue, EVENTS: queue, MY_WAKE_UPS_2: queue };
  expect(found({ WAKE_UPS: queue, ...others })).toEqual(["WAKE_UPS"]);
});

test.each([
  ["WAKE_UPS is missing", {}],
  ["WAKE_UPS is missing", { WAKE_UPS_2: queue }],
  ["WAKE_UPS_2 is not a queue", { WAKE_UPS: queue, WAKE_UPS_2: "pawl-wake-ups-2" }],
  ["WAKE_UPS_2 is not a queue", { WAKE_UPS: queue, WAKE_UPS_2: null }],
  ["WAKE_UPS_1 would carry no wake-ups", { WAKE_UPS: queue, WAKE_UPS_1: queue }],
  ["WAKE_UPS2 would carry no wake-ups", { WAKE_UPS: queue, WAKE_UPS2: queue }],
])("what is wrong is named: %s", (problem, bindings) => {
  expect(() => findQueues(bindings)).toThrow(problem);
});
