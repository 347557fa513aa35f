/** Runs that get into trouble of their own: bodies that kill their worker, hang or are careless, and code that changes. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { defineWorkflow, NonRetryableError, RetryableError, StepFailed } from "../../../src/pawl.ts";
import type { Simulation } from "../simulation.ts";
import type { Outcome } from "./outcome.ts";
import { bodies, MINUTE, type Program, returns, returnsOneOf, signal } from "./program.ts";

export function troublePrograms(world: Simulation): readonly Program[] {
  return [poison(world), revised(world), retired(world), slow(world), hurried(world), clumsy(world), picky()];
}

/** Kills its worker every time, until it is dead and somebody has mended it and revives it. */
function poison(world: Simulation): Program {
  const { lostTurnLimit } = world.settings;
  const workflow = defineWorkflow({ name: "poison" }, ({ step, run }) =>
    step.run("blow", async (context) => {
      await world.effect("blow", context);
      if (run.attempt === 1) await world.crash();
      return "mended";
    }),
  );
  return {
    workflow,
    fits: ({ lostTurnLimit: limit }) => limit < 10,
    wrong: (outcome) => {
      const [died] = revivals(outcome);
      if (died !== "lost_turns_exhausted") return `it was revived from ${died}`;
      const before = outcome.claims - 1;
      return before < lostTurnLimit ? `it was dead after ${before} turns` : returns("mended")(outcome);
    },
  };
}

/**
 * A bad deploy waits for nothing where its code went on before (J1): of one half of the runs right after the first step,
 * of the other once their journals know more. No run is lost, and no step is given what another did.
 */
function revised(world: Simulation): Program {
  const body = bodies(world);
  const workflow = defineWorkflow({ name: "revised" }, async ({ step, run }) => {
    const isEarly = Number(run.id.at(-1)) % 2 === 0;
    const first = await step.run("a", body("a"));
    const hasBegun = world.effects.some((effect) => effect.runId === run.id && effect.step === "b");
    if (world.isBadDeploy && (isEarly || hasBegun)) await new Promise(() => {});
    const second = await step.run("b", body("b"));
    await step.sleep("nap", MINUTE);
    const both = await Promise.all([step.run("c", body("c")), step.run("d", body("d"))]);
    return [first, second, ...both].join();
  });
  return { workflow, wrong: returns("a,b,c,d") };
}

/** A bad deploy does not have it at all (J4). */
function retired(world: Simulation): Program {
  const body = bodies(world);
  const workflow = defineWorkflow({ name: "retired" }, async ({ step }) => {
    await step.run("a", body("a"));
    await step.sleep("nap", MINUTE);
    return step.run("b", body("b"));
  });
  return { workflow, wrong: returns("b"), retires: true };
}

/** Its first attempts hang, past their timeout and without a heartbeat. */
function slow(world: Simulation): Program {
  const retry = { maxAttempts: 50, delay: 1_000 };
  const workflow = defineWorkflow({ name: "slow" }, async ({ step }) => {
    const hang = async (context: Parameters<Parameters<typeof step.run>[1]>[0]) => {
      await world.effect("hang", context);
      if (context.attempt === 1) await world.aborted(context.signal);
      return "awake";
    };
    await step.run("stuck", hang, { timeout: "1 minute", retry });
    return step.run("mute", hang, { heartbeat: "1 minute", retry });
  });
  return { workflow, wrong: returns("awake") };
}

/** Sleeps past its deadline; a person who revives it gives it all the time it wants. */
function hurried(world: Simulation): Program {
  const workflow = defineWorkflow({ name: "hurried" }, async ({ step }) => {
    await step.sleep("nap", 20 * MINUTE);
    return step.run("late", bodies(world)("late"));
  });
  return {
    workflow,
    start: { deadline: 5 * MINUTE },
    wrong: (outcome) => {
      const { failure } = outcome.stored.row;
      if (outcome.status === "failed" && failure?.code === "deadline_exceeded") return null;
      return revivals(outcome).includes("deadline_exceeded")
        ? returns("late")(outcome)
        : `it ${outcome.status}`;
    },
  };
}

/** Calls that cannot be recorded are refused before they are; failures are final or not, as they say. */
function clumsy(world: Simulation): Program {
  const workflow = defineWorkflow({ name: "clumsy" }, async ({ step }) => {
    const codes: string[] = [];
    const note = (error: unknown) => {
      world.heard(error);
      codes.push(codeOf(error));
    };
    await step.run("", () => {}).catch(note);
    await step.sleep("nap", -1).catch(note);
    await step.run("unstorable", () => () => {}).catch(note);
    const refuse = () => {
      throw new NonRetryableError("never");
    };
    await step.run("refused", refuse).catch(note);
    const wait = ({ attempt }: { attempt: number }) => {
      if (attempt === 1) throw new RetryableError("not now", { retryAfter: "3 seconds" });
      return attempt;
    };
    return [...codes, await step.run("later", wait)].join();
  });
  return { workflow, wrong: returns("invalid_step,invalid_duration,unstorable_value,non_retryable,2") };
}

const text: StandardSchemaV1<unknown, string> = {
  "~standard": {
    version: 1,
    vendor: "simulation",
    validate: (value) =>
      typeof value === "string" ? { value } : { issues: [{ message: `${typeof value} is no text` }] },
  },
};

/** Takes text only. */
function picky(): Program {
  const workflow = defineWorkflow({ name: "picky", input: text }, async ({ step }) =>
    step
      .waitForSignal("go", { schema: text, timeout: 5 * MINUTE })
      .then((got) => got ?? "too late")
      .catch(codeOf),
  );
  return {
    workflow,
    start: { input: "text" },
    requests: [signal("go", "go-0", 42)],
    wrong: returnsOneOf("invalid_payload", "too late"),
  };
}

function codeOf(error: unknown): string {
  return error instanceof StepFailed ? error.failure.code : (error as { code: string }).code;
}

/** What each revive forgave. */
function revivals({ journal }: Outcome): (string | undefined)[] {
  return journal.flatMap(({ outcome, failure }) => (outcome === "revived" ? [failure?.code] : []));
}
