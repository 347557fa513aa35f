import { expect, test } from "vitest";
import { StoreUnavailable } from "../../src/engine/errors.ts";
import { RunNotFound } from "../../src/engine/refusals.ts";
import type { Steps } from "../../src/engine/workflow.ts";
import { claimedRun, workflowOf } from "../engine/support.ts";
import { LEASE_MS, next, runtimeOf, takeWhole } from "./support.ts";

const OUTAGE = 10;

/** Ends of a run whose first calls of the store fail, turn after turn. */
async function endOf(ask: (step: Steps) => Promise<unknown>, failure: Error, failures: number) {
  let calls = 0;
  const verb = async () => {
    calls += 1;
    if (calls <= failures) throw failure;
    return { sent: [{ runId: "other", result: "accepted" as const }], due: [] };
  };
  const runtime = runtimeOf({
    workflows: [workflowOf(ask)],
    store: { subscribe: async () => void (await verb()), deliverSignals: verb },
  });
  let run = claimedRun();
  for (;;) {
    const decision = await takeWhole(runtime, { run, leaseUntil: runtime.clock.now() + LEASE_MS });
    if (decision === null) throw new Error("The turn was lost.");
    if (decision.status !== "ready" && decision.status !== "waiting") return { calls, ...decision };
    run = next(run, decision, 60_000);
  }
}

test.each([
  ["subscribes", (step: Steps) => step.subscribe("news")],
  ["sends a signal", (step: Steps) => step.sendSignal("tell", "other", "news")],
])("a step that %s outlives an outage of the database: no run fails of it (C14)", async (_, ask) => {
  const end = await endOf(ask, new StoreUnavailable("outage"), OUTAGE);
  expect(end).toMatchObject({ status: "completed", calls: OUTAGE + 1 });
});

test("what the platform refuses is not asked for again", async () => {
  const end = await endOf(
    (step) => step.sendSignal("tell", "other", "news"),
    new RunNotFound("other"),
    OUTAGE,
  );
  expect(end).toMatchObject({ status: "failed", calls: 1 });
});
