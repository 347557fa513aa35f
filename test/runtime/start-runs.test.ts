import { describe, expect, test } from "vitest";
import * as z from "zod";
import { UnstorableValue } from "../../src/engine/errors.ts";
import type { StartedRun } from "../../src/engine/ports.ts";
import {
  DuplicateIdempotencyKey,
  IdempotencyConflict,
  InvalidInput,
  WorkflowNotFound,
} from "../../src/engine/refusals.ts";
import type { NewRun } from "../../src/engine/run.ts";
import { defineWorkflow } from "../../src/engine/workflow.ts";
import type { StartRequest } from "../../src/runtime/new-run.ts";
import { startRuns } from "../../src/runtime/start-runs.ts";
import { type Given, runOf, runtimeOf } from "./support.ts";

const Order = z.object({
  id: z.string(),
  at: z.string().transform((text) => new Date(text)),
  lines: z.array(z.object({ sku: z.string() })),
});
const workflows = [
  defineWorkflow({ name: "order", version: 2, input: Order }, async () => null),
  defineWorkflow({ name: "order", version: 1 }, async () => null),
  defineWorkflow({ name: "any" }, async () => null),
];
const order = { id: "o-1", at: "2026-01-01T00:00:00.000Z", lines: [] };

/** A store that starts everything, but for keys that have a run already. */
function starting(given: Given = {}) {
  const inserted: NewRun[] = [];
  const runtime = runtimeOf({
    workflows,
    ...given,
    store: {
      startRuns: async (tenant, runs) => {
        inserted.push(...runs);
        return runs.map(
          ({ id, workflow, idempotencyKey, delayMs }): StartedRun => ({
            run: runOf({ tenant, runId: id, workflow, idempotencyKey }),
            created: idempotencyKey !== "known",
            wakeInMs: delayMs ?? 0,
          }),
        );
      },
      ...given.store,
    },
  });
  return { runtime, inserted, start: (...requests: StartRequest[]) => startRuns(runtime, "acme", requests) };
}

describe("starting runs", () => {
  test("stores what the schema makes of the input, under the newest version, and wakes the run", async () => {
    const { start, inserted, runtime } = starting();
    await start({
      workflow: "order",
      input: order,
      tags: ["b", "a", "b"],
      delay: 5_000,
      idempotencyKey: "k",
    });
    expect(inserted).toEqual([
      {
        id: "run-1",
        workflow: "order",
        version: 2,
        input: { json: { at: order.at, id: "o-1", lines: [] }, meta: expect.anything() },
        tags: ["b", "a"],
        idempotencyKey: "k",
        parent: null,
        continuedFrom: null,
        deployment: "v7",
        startAt: null,
        delayMs: 5_000,
        deadlineAt: null,
        deadlineInMs: null,
      },
    ]);
    expect(runtime.woken).toEqual([{ tenant: "acme", runId: "run-1", wakeInMs: 5_000 }]);
  });

  test("keeps to the version that is asked for, and takes any input where there is no schema", async () => {
    const { start, inserted } = starting();
    await start({ workflow: "order", version: 1, input: 7 }, { workflow: "any" });
    expect(inserted.map(({ version, input }) => [version, input.json])).toEqual([
      [1, 7],
      [1, null],
    ]);
  });

  test("gives the runs in the order of the requests, each with an id of its own", async () => {
    const started = await starting().start(...Array.from({ length: 5 }, () => ({ workflow: "any" })));
    expect(started.map(({ run }) => run.runId)).toEqual(["run-1", "run-2", "run-3", "run-4", "run-5"]);
  });

  test("a run that was there already is not woken again", async () => {
    const { start, runtime } = starting();
    const [old, created] = await start({ workflow: "any", idempotencyKey: "known" }, { workflow: "any" });
    expect([old?.created, created?.created]).toEqual([false, true]);
    expect(runtime.woken.map(({ runId }) => runId)).toEqual(["run-2"]);
  });

  test.each<[string, StartRequest, new (...given: never[]) => Error, RegExp]>([
    ["an unknown workflow", { workflow: "none" }, WorkflowNotFound, /"none".*Registered: "order", "any"/],
    ["an unknown version", { workflow: "order", version: 3 }, WorkflowNotFound, /"order" version 3/],
    [
      "an input that does not fit",
      { workflow: "order", input: { ...order, lines: [{}] } },
      InvalidInput,
      /lines\.0\.sku: /,
    ],
    ["no input where one is needed", { workflow: "order" }, InvalidInput, /does not fit workflow "order": /],
    [
      "an input that cannot be stored",
      { workflow: "any", input: { a: "\u0000" } },
      UnstorableValue,
      /input of workflow "any".*"a"/,
    ],
  ])(
    "%s is refused, and then nothing of the batch is started (I9)",
    async (_, request, refusal, sentence) => {
      const { start, inserted, runtime } = starting();
      const outcome = start({ workflow: "any" }, request, { workflow: "any" });
      await expect(outcome).rejects.toBeInstanceOf(refusal);
      await expect(outcome).rejects.toThrow(sentence);
      expect(inserted).toEqual([]);
      expect(runtime.woken).toEqual([]);
    },
  );

  test("a batch that names a key twice for one workflow is refused, and for two workflows is not", async () => {
    const { start, inserted } = starting();
    const twice = start({ workflow: "any", idempotencyKey: "k" }, { workflow: "any", idempotencyKey: "k" });
    await expect(twice).rejects.toBeInstanceOf(DuplicateIdempotencyKey);
    await expect(twice).rejects.toThrow(
      'The batch starts workflow "any" twice with the idempotency key "k".',
    );
    await expect(
      start(
        { workflow: "order", version: 1, idempotencyKey: "k" },
        { workflow: "order", idempotencyKey: "k", input: order },
      ),
    ).rejects.toBeInstanceOf(DuplicateIdempotencyKey);
    expect(inserted).toEqual([]);
    await start(
      { workflow: "any", idempotencyKey: "k" },
      { workflow: "order", idempotencyKey: "k", input: order },
    );
    await start({ workflow: "any" }, { workflow: "any" });
    expect(inserted).toHaveLength(4);
  });

  test("a conflict that the store finds is passed on, and nothing is woken", async () => {
    const { start, runtime } = starting({
      store: { startRuns: () => Promise.reject(new IdempotencyConflict("k", "run-0")) },
    });
    await expect(start({ workflow: "any", idempotencyKey: "k" })).rejects.toBeInstanceOf(IdempotencyConflict);
    expect(runtime.woken).toEqual([]);
  });

  test("a queue that fails takes nothing back: the runs are durable, and the sweep wakes them", async () => {
    const { start, runtime } = starting({ wakeUps: { send: () => Promise.reject(new Error("queue down")) } });
    await expect(start({ workflow: "any" })).resolves.toHaveLength(1);
    expect(runtime.reports).toEqual(["sending wake-ups after a start: queue down"]);
  });

  test("a schema that answers later is waited for", async () => {
    const Slow = z.string().refine(async (text) => text === "right");
    const slow = defineWorkflow({ name: "slow", input: Slow }, async () => null);
    const { start, inserted } = starting({ workflows: [slow] });
    await expect(start({ workflow: "slow", input: "wrong" })).rejects.toBeInstanceOf(InvalidInput);
    await start({ workflow: "slow", input: "right" });
    expect(inserted).toHaveLength(1);
  });
});
