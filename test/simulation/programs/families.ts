/** Runs that start others, go on as others, undo what they did, and tell the world outside. */
import { defineWorkflow } from "../../../src/pawl.ts";
import { redeliverEvent } from "../../../src/runtime/redeliver-event.ts";
import type { Simulation } from "../simulation.ts";
import type { Outcome } from "./outcome.ts";
import { bodies, type Program, returns } from "./program.ts";

/** `child` is what these start. */
export function familyPrograms(world: Simulation, child: Program): readonly Program[] {
  const failing = saga(world);
  return [failing, parent(child, failing), orphan(failing), teller(world), long(world), scribe(world)];
}

function saga(world: Simulation): Program {
  const body = bodies(world);
  const workflow = defineWorkflow({ name: "saga" }, async ({ step }) => {
    const undoable = (name: string) =>
      step.run(name, body(name), { compensate: (context) => world.effect(`undo ${name}`, context) });
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
  return { workflow, forkAt: null, wrong: wrongSaga };
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

function parent(child: Program, failing: Program): Program {
  const workflow = defineWorkflow({ name: "parent" }, async ({ step }) => {
    const ends = await Promise.allSettled([
      step.invoke("first", child.workflow, null as never),
      step.invoke("second", failing.workflow, null as never),
    ]);
    await step.start("third", child.workflow, null as never);
    return ends.map(({ status }) => status).join();
  });
  return { workflow, wrong: returns("fulfilled,rejected") };
}

/** Its child's failure is its own. */
function orphan(failing: Program): Program {
  const workflow = defineWorkflow({ name: "orphan" }, ({ step }) =>
    step.invoke("child", failing.workflow, null as never),
  );
  return {
    workflow,
    wrong: ({ status, stored }) =>
      status === "failed" && stored.row.failure?.step === "child" ? null : `it ${status}`,
  };
}

function teller(world: Simulation): Program {
  const workflow = defineWorkflow({ name: "teller" }, async ({ step }) => {
    for (const type of ["first", "second", "third"]) await step.emit(type, { type: `told.${type}` });
    return step.run("told", bodies(world)("told"));
  });
  return {
    workflow,
    forkAt: null,
    requests: [
      {
        what: "first once more",
        send: (runtime, { tenant, runId }) => redeliverEvent(runtime, tenant, `${runId}/first`),
        notYet: "event_not_found",
      },
    ],
    wrong: (outcome) =>
      outcome.emitted.join() === "told.first,told.second,told.third"
        ? returns("told")(outcome)
        : `it told ${outcome.emitted.join()}`,
  };
}

function long(world: Simulation): Program {
  const workflow = defineWorkflow({ name: "long" }, async ({ step, input }) => {
    const round = Number(input ?? 0);
    await step.run("round", bodies(world)("round"));
    if (round < 2) await step.continueAsNew(round + 1);
    return round;
  });
  return { workflow, wrong: (outcome) => (outcome.continued ? null : returns(2)(outcome)) };
}

/** What a run tells of itself is written once, and values that it drew are the same in every replay. */
function scribe(world: Simulation): Program {
  const workflow = defineWorkflow({ name: "scribe" }, async ({ step, run }) => {
    const drawn = [await step.uuid(), await step.random()].join();
    for (const line of ["a", "b"]) {
      await run.append("lines", line);
      await step.run(line, bodies(world)(line));
    }
    await run.set("drawn", drawn);
    return drawn;
  });
  return {
    workflow,
    wrong: (outcome) => {
      const { state } = outcome.stored;
      const lines = JSON.stringify(state.get("lines")?.value);
      return lines === '["a","b"]' ? returns(state.get("drawn")?.value)(outcome) : `it wrote ${lines}`;
    },
  };
}
