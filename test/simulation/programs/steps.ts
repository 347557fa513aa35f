/** Steps: one after another, side by side, mapped, tried again, at most once, in a transaction. */
import { defineWorkflow, StepFailed, type Steps } from "../../../src/pawl.ts";
import type { Simulation } from "../simulation.ts";
import { bodies, type Program, returns } from "./program.ts";

export function stepPrograms(world: Simulation): readonly Program[] {
  return [loops(world), retries(world), map(world), fleet(world), transfer(), ledger()];
}

export function chain(world: Simulation): Program {
  const body = bodies(world);
  const workflow = defineWorkflow({ name: "chain" }, async ({ step }) => {
    const given: string[] = [];
    for (const name of ["a", "b", "c"]) given.push(await step.run(name, body(name)));
    return given.join();
  });
  return { workflow, forkAt: "b", wrong: returns("a,b,c") };
}

/** Two loops side by side with one step name: their results must not be swapped (I6). */
function loops(world: Simulation): Program {
  const workflow = defineWorkflow({ name: "loops" }, async ({ step }) =>
    (await Promise.all([loop(step, "l"), loop(step, "r")])).join(";"),
  );
  const loop = async (step: Steps, side: string) => {
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
  return { workflow, wrong: returns("l0,l1;r0,r1") };
}

function retries(world: Simulation): Program {
  const workflow = defineWorkflow({ name: "retries" }, ({ step }) =>
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
  return { workflow, wrong: returns(3) };
}

function map(world: Simulation): Program {
  const items = ["a", "b", "c", "d", "e"];
  const workflow = defineWorkflow({ name: "map" }, async ({ step }) => {
    const body = async (item: string, context: Parameters<Simulation["effect"]>[1]) => {
      await world.effect("item", context);
      return item;
    };
    return (await step.map("item", items, body, { concurrency: 2 })).join();
  });
  return {
    workflow,
    forkAt: "item",
    always: ({ branches }) => (branches.size > 2 ? `has ${branches.size} items under way` : null),
    wrong: returns("a,b,c,d,e"),
  };
}

/** A map of which some items may fail. */
function fleet(world: Simulation): Program {
  const workflow = defineWorkflow({ name: "fleet" }, async ({ step }) => {
    const ends = await step.map(
      "ship",
      [1, 2, 3, 4],
      async (number, context) => {
        await world.effect("ship", context);
        if (number % 2 === 0) throw new Error(`ship ${number} sank`);
        return number;
      },
      { tolerate: 2, retry: { maxAttempts: 2, delay: "1 second" } },
    );
    return ends.map((end) => (end.status === "fulfilled" ? end.value : "sank")).join();
  });
  return { workflow, wrong: returns("1,sank,3,sank") };
}

/** Charges thrice. A person has to say what came of a charge that was cut off. */
export function once(world: Simulation): Program {
  const charges = ["charge 1", "charge 2", "charge 3"];
  const workflow = defineWorkflow({ name: "once" }, async ({ step }) => {
    for (const charge of charges) {
      await step.run(charge, bodies(world)(charge), { atMostOnce: true }).catch((error: unknown) => {
        if (!(error instanceof StepFailed)) throw error;
      });
    }
    return "charged";
  });
  return {
    workflow,
    wrong: (outcome) => {
      const twice = outcome.effects.length - new Set(outcome.effects).size;
      return twice > outcome.again ? `it charged ${outcome.effects.join()}` : returns("charged")(outcome);
    },
  };
}

function transfer(): Program {
  const workflow = defineWorkflow({ name: "transfer" }, ({ step }) =>
    step.transaction("move", async () => "moved"),
  );
  return {
    workflow,
    wrong: (outcome) =>
      outcome.writes === 1 ? returns("moved")(outcome) : `it wrote ${outcome.writes} times`,
  };
}

/** A transaction that is rolled back takes its events back with it. */
function ledger(): Program {
  const workflow = defineWorkflow({ name: "ledger" }, ({ step }) =>
    step.transaction("book", async (_, { attempt, emit }) => {
      emit({ type: `booked.${attempt}` });
      if (attempt < 2) throw new Error("it does not add up");
      return attempt;
    }),
  );
  return {
    workflow,
    wrong: (outcome) =>
      outcome.writes === 1 && outcome.emitted.join() === "booked.2"
        ? returns(2)(outcome)
        : `it wrote ${outcome.writes} times and told ${outcome.emitted.join()}`,
  };
}
