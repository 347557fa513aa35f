/** What the simulated runs do, and what must have come of each when it is over. */

import type { AnyWorkflow, StepContext } from "../../src/engine/workflow.ts";
import { defineWorkflow, StepFailed, type Steps } from "../../src/pawl.ts";
import type { Outcome } from "./outcome.ts";
import type { Simulation } from "./simulation.ts";

export interface Program {
  readonly workflow: AnyWorkflow;
  /** Signals that it waits for, each with the id under which the client sends it. */
  readonly signals: readonly { readonly name: string; readonly id: string; readonly payload: unknown }[];
  /** What is wrong with a run of it that was not cancelled; null when all is well. */
  readonly wrong: (outcome: Outcome) => string | null;
}

const MINUTE = 60_000;

/** Every program for one simulation. */
export function programsFor(world: Simulation): readonly Program[] {
  const work = (name: string) => async (context: StepContext) => {
    await world.effect(name, context);
    return name;
  };
  const run = (step: Steps, name: string) => step.run(name, work(name));

  const chain = defineWorkflow({ name: "chain" }, async ({ step }) => {
    const given: string[] = [];
    for (const name of ["a", "b", "c"]) given.push(await run(step, name));
    return given.join();
  });

  /** Two loops side by side with one step name: their results must not be swapped (I6). */
  const loops = defineWorkflow({ name: "loops" }, async ({ step }) => {
    const loop = async (side: string) => {
      const given: string[] = [];
      for (let i = 0; i < 2; i++) {
        given.push(
          await step.run("work", async (context) => {
            await world.effect("work", context);
            return `${side}${i}`;
          }),
        );
      }
      return given.join();
    };
    return (await Promise.all([loop("l"), loop("r")])).join(";");
  });

  const retries = defineWorkflow({ name: "retries" }, ({ step }) =>
    step.run(
      "flaky",
      async (context) => {
        await world.effect("flaky", context);
        if (context.attempt < 3) throw new Error(`attempt ${context.attempt}`);
        return context.attempt;
      },
      { retry: { maxAttempts: 4, delay: "2 seconds" } },
    ),
  );

  const sleeper = defineWorkflow({ name: "sleeper" }, async ({ step }) => {
    await run(step, "before");
    await step.sleep("nap", 10 * MINUTE);
    return run(step, "after");
  });

  const race = defineWorkflow({ name: "race" }, ({ step }) =>
    Promise.race([run(step, "work"), step.sleep("patience", MINUTE).then(() => "patience")]),
  );

  const waiter = defineWorkflow({ name: "waiter" }, async ({ step }) => {
    const got: unknown[] = [];
    for (let i = 0; i < 3; i++) got.push(await step.waitForSignal("go"));
    await run(step, "went");
    return got.join();
  });

  const patient = defineWorkflow({ name: "patient" }, async ({ step }) => {
    const got = await step.waitForSignal("go", { timeout: 5 * MINUTE });
    return got ?? "too late";
  });

  const saga = defineWorkflow({ name: "saga" }, async ({ step }) => {
    const undoable = (name: string) =>
      step.run(name, work(name), { compensate: (context) => world.effect(`undo ${name}`, context) });
    await undoable("one");
    await Promise.all([undoable("two"), undoable("three")]);
    await step.run(
      "no",
      async (context) => {
        await world.effect("no", context);
        throw new Error("no");
      },
      { retry: { maxAttempts: 1 } },
    );
  });

  const parent = defineWorkflow({ name: "parent" }, async ({ step }) => {
    const ends = await Promise.allSettled([
      step.invoke("first", chain, null),
      step.invoke("second", saga, null),
    ]);
    await step.start("third", chain, null);
    return ends.map(({ status }) => status).join();
  });

  const map = defineWorkflow({ name: "map" }, async ({ step }) => {
    const items = ["a", "b", "c", "d", "e"];
    return (
      await step.map(
        "item",
        items,
        async (item, context) => {
          await world.effect("item", context);
          return item;
        },
        { concurrency: 2 },
      )
    ).join();
  });

  const once = defineWorkflow({ name: "once" }, async ({ step }) => {
    try {
      return await step.run("charge", work("charge"), { atMostOnce: true });
    } catch (error) {
      if (error instanceof StepFailed) return "not charged";
      throw error;
    }
  });

  const transfer = defineWorkflow({ name: "transfer" }, ({ step }) =>
    step.transaction("move", async () => "moved"),
  );

  const teller = defineWorkflow({ name: "teller" }, async ({ step }) => {
    for (const type of ["first", "second", "third"]) await step.emit(type, { type: `told.${type}` });
    return run(step, "told");
  });

  const long = defineWorkflow({ name: "long" }, async ({ step, input }) => {
    const round = Number(input ?? 0);
    await run(step, "round");
    if (round < 2) await step.continueAsNew(round + 1);
    return round;
  });

  const returns = (output: unknown) => (outcome: Outcome) =>
    outcome.status === "completed" && outcome.output === output
      ? null
      : `it ${outcome.status} with ${JSON.stringify(outcome.output)} instead of ${JSON.stringify(output)}`;
  const quiet = (workflow: AnyWorkflow, wrong: Program["wrong"]): Program => ({
    workflow,
    signals: [],
    wrong,
  });
  const go = (...payloads: string[]) =>
    payloads.map((payload, i) => ({ name: "go", id: `go-${i}`, payload }));

  return [
    quiet(chain, returns("a,b,c")),
    quiet(loops, returns("l0,l1;r0,r1")),
    quiet(retries, returns(3)),
    quiet(sleeper, returns("after")),
    quiet(race, ({ status, output }) =>
      status === "completed" && (output === "work" || output === "patience") ? null : `${status} ${output}`,
    ),
    {
      workflow: waiter,
      signals: go("x", "y", "z"),
      // Each exactly once, in the order in which they arrived (I5).
      wrong: ({ status, output, arrived }) =>
        status === "completed" && output === arrived.join()
          ? null
          : `${status} ${output}, not ${arrived.join()}`,
    },
    {
      workflow: patient,
      signals: go("x"),
      wrong: ({ status, output }) =>
        status === "completed" && (output === "x" || output === "too late") ? null : `${status} ${output}`,
    },
    quiet(parent, returns("fulfilled,rejected")),
    quiet(saga, (outcome) => wrongSaga(outcome)),
    quiet(map, returns("a,b,c,d,e")),
    quiet(once, ({ status, output, effects }) => {
      if (effects.length > 1) return `it charged ${effects.length} times`;
      return status === "completed" ? null : `${status} ${output}`;
    }),
    quiet(transfer, (outcome) =>
      outcome.writes === 1 ? returns("moved")(outcome) : `it wrote ${outcome.writes} times`,
    ),
    quiet(teller, returns("told")),
    quiet(long, ({ status, output, continued }) =>
      status === "completed" && (continued || output === 2) ? null : `${status} ${output}`,
    ),
  ];
}

/** All that was done is undone, the last first, and what was not done is left alone. */
function wrongSaga({ status, journal }: Outcome): string | null {
  if (status !== "failed") return `it ${status}`;
  const done = journal.filter(
    ({ kind, outcome, key }) => kind === "step" && outcome === "completed" && key !== "no",
  );
  const undone = journal.filter(({ kind, outcome }) => kind === "compensation" && outcome === "completed");
  const wanted = done.map(({ key }) => `${key}#compensation`).reverse();
  const got = undone.map(({ key }) => key);
  return wanted.join() === got.join() ? null : `it undid ${got.join()}, not ${wanted.join()}`;
}
