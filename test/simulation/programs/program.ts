/** What simulated runs do, what their users do meanwhile, and what must have come of each when it is over. */
import type { RunRef } from "../../../src/engine/run.ts";
import type { AnyWorkflow, StepContext } from "../../../src/engine/workflow.ts";
import type { StartRequest } from "../../../src/runtime/new-run.ts";
import type { Runtime } from "../../../src/runtime/runtime.ts";
import { sendSignals, toNewSignal } from "../../../src/runtime/send-signals.ts";
import type { StoredRun } from "../../model/memory/tables.ts";
import type { Config } from "../config.ts";
import type { Simulation } from "../simulation.ts";
import type { Outcome } from "./outcome.ts";

export const MINUTE = 60_000;

export interface Program {
  readonly workflow: AnyWorkflow;
  /** What its users start it with. */
  readonly start?: Pick<StartRequest, "input" | "deadline">;
  /** False where the configuration is not for it. */
  readonly fits?: (config: Config) => boolean;
  /** True for one that a bad deploy leaves out. */
  readonly retires?: boolean;
  /** The step that users begin runs of it again at; null for the beginning. */
  readonly forkAt?: string | null;
  /** What its users ask for, each at any time, perhaps twice, and by the end until they are answered. */
  readonly requests?: readonly Request[];
  /** What a run of it still needs from outside, where nothing else goes on; `n` is another one every time. */
  readonly need?: (run: StoredRun, n: number) => Request | null;
  /** What is wrong with a run of it at any time; null when all is well. */
  readonly always?: (run: StoredRun) => string | null;
  /** What is wrong with a run of it that was not cancelled; null when all is well. */
  readonly wrong: (outcome: Outcome) => string | null;
}

export interface Request {
  readonly what: string;
  readonly send: (runtime: Runtime, run: RunRef) => Promise<unknown>;
  /** The code of the refusal that means: ask again later. */
  readonly notYet?: string;
  /** `what` is the id of a signal. */
  readonly isSignal?: true;
}

/** The body of a step that does its work in the world outside and gives its name. */
export function bodies(world: Simulation): (name: string) => (context: StepContext) => Promise<string> {
  return (name) => async (context) => {
    await world.effect(name, context);
    return name;
  };
}

/** A signal, with an id under which it arrives once. */
export function signal(name: string, id: string, payload: unknown): Request {
  return {
    what: id,
    isSignal: true,
    send: (runtime, { tenant, runId }) =>
      sendSignals(runtime, tenant, [toNewSignal(runId, { name, id, payload })]),
  };
}

/** The run completed and returned this. */
export function returns(output: unknown): Program["wrong"] {
  const wanted = JSON.stringify(output);
  return ({ status, output: got }) =>
    status === "completed" && JSON.stringify(got) === wanted
      ? null
      : `it ${status} with ${JSON.stringify(got)} instead of ${wanted}`;
}

/** The run completed with one of these. */
export function returnsOneOf(...outputs: readonly unknown[]): Program["wrong"] {
  return (outcome) =>
    outputs.includes(outcome.output) ? returns(outcome.output)(outcome) : returns(outputs)(outcome);
}

/** The run waits for something of that kind and name. */
export function waitsFor({ waits }: StoredRun, kind: string, name: string): boolean {
  return [...waits.values()].some((one) => one.wait.kind === kind && one.name === name);
}
