/** Requests that must be refused, each with one of these codes, whatever the state of the run that they are about. */
import type { RunRef } from "../../src/engine/run.ts";
import { appendSteps } from "../../src/runtime/append-steps.ts";
import { forkRun } from "../../src/runtime/fork-run.ts";
import { cancelRun } from "../../src/runtime/move-runs.ts";
import { publishMessage } from "../../src/runtime/publish-message.ts";
import { receiveHook } from "../../src/runtime/receive-hook.ts";
import { redeliverEvent } from "../../src/runtime/redeliver-event.ts";
import { resolveStep } from "../../src/runtime/resolve-step.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { toNewSignal } from "../../src/runtime/send-signals.ts";
import { startRuns } from "../../src/runtime/start-runs.ts";
import type { Order } from "./client.ts";
import { hookToken } from "./hook-tokens.ts";

export interface Careless {
  readonly codes: readonly string[];
  readonly send: (runtime: Runtime, ref: RunRef, order: Order) => Promise<unknown>;
}

const NOBODY = "9".repeat(26);
const nothing = { json: null, meta: null };

export const CARELESS: readonly Careless[] = [
  {
    codes: ["run_not_found"],
    send: (runtime, { tenant }) => cancelRun(runtime, { tenant, runId: NOBODY }),
  },
  {
    codes: ["workflow_not_found"],
    send: (runtime, { tenant }) => startRuns(runtime, tenant, [{ workflow: "unheard-of" }]),
  },
  {
    codes: ["invalid_input", "workflow_not_found"],
    send: (runtime, { tenant }) => startRuns(runtime, tenant, [{ workflow: "picky", input: 42 }]),
  },
  {
    codes: ["duplicate_idempotency_key"],
    send: (runtime, { tenant }, { key }) => {
      const twice = { workflow: "chain", idempotencyKey: key };
      return startRuns(runtime, tenant, [twice, twice]);
    },
  },
  {
    codes: ["idempotency_conflict", "workflow_not_found"],
    send: (runtime, { tenant }, { program, key }) =>
      startRuns(runtime, tenant, [
        { workflow: program.workflow.name, input: "something else", idempotencyKey: key },
      ]),
  },
  {
    codes: ["invalid_signal_name"],
    send: async (_, { runId }) => toNewSignal(runId, { name: "door#hook" }),
  },
  {
    codes: ["not_awaited"],
    send: (runtime, ref) => resolveStep(runtime, ref, "no step", { outcome: "done" }),
  },
  {
    codes: ["unknown_step", "workflow_not_found"],
    send: (runtime, ref) => forkRun(runtime, ref, { from: "no step" }),
  },
  {
    codes: ["event_not_found"],
    send: (runtime, { tenant }) => redeliverEvent(runtime, tenant, "no event"),
  },
  {
    codes: ["hook_not_found"],
    send: (runtime) => receiveHook(runtime, hookToken(NOBODY, "door"), null),
  },
  {
    // A graph is told that there is nothing to append.
    codes: ["not_a_graph", "invalid_append", "workflow_not_found"],
    send: (runtime, ref) => appendSteps(runtime, ref, "nothing", { gate: "approved", steps: [] }),
  },
  {
    codes: ["channel_mode_conflict"],
    send: async (runtime, { tenant, runId }) => {
      const message = { id: "direct", channel: "odd", payload: nothing, to: runId };
      await publishMessage(runtime, tenant, message);
      await publishMessage(runtime, tenant, { ...message, id: "to all", to: null });
    },
  },
];
