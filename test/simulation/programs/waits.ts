/** Waits: sleeps, signals, hooks, groups. */
import { defineWorkflow } from "../../../src/pawl.ts";
import { receiveHook } from "../../../src/runtime/receive-hook.ts";
import { signalGroup } from "../../../src/runtime/signal-group.ts";
import { hookToken } from "../hook-tokens.ts";
import type { Simulation } from "../simulation.ts";
import {
  bodies,
  MINUTE,
  type Program,
  type Request,
  returns,
  returnsOneOf,
  signal,
  waitsFor,
} from "./program.ts";

export function waitPrograms(world: Simulation): readonly Program[] {
  return [sleeper(world), race(world), waiter(world), patient(), doorkeeper(world), latecomer(), member()];
}

function sleeper(world: Simulation): Program {
  const body = bodies(world);
  const workflow = defineWorkflow({ name: "sleeper" }, async ({ step }) => {
    await step.run("before", body("before"));
    await step.sleep("nap", 10 * MINUTE);
    return step.run("after", body("after"));
  });
  return { workflow, forkAt: "after", wrong: returns("after") };
}

function race(world: Simulation): Program {
  const workflow = defineWorkflow({ name: "race" }, ({ step }) =>
    Promise.race([
      step.run("work", bodies(world)("work")),
      step.sleep("patience", MINUTE).then(() => "patience"),
    ]),
  );
  return { workflow, wrong: returnsOneOf("work", "patience") };
}

/** Each signal exactly once, in the order in which they arrived (I5). */
function waiter(world: Simulation): Program {
  const workflow = defineWorkflow({ name: "waiter" }, async ({ step }) => {
    const got: unknown[] = [];
    for (let i = 0; i < 3; i++) got.push(await step.waitForSignal("go"));
    await step.run("went", bodies(world)("went"));
    return got.join();
  });
  return {
    workflow,
    requests: ["x", "y", "z"].map((payload, i) => signal("go", `go-${i}`, payload)),
    wrong: (outcome) => returns(outcome.arrived.join())(outcome),
  };
}

function patient(): Program {
  const workflow = defineWorkflow({ name: "patient" }, async ({ step }) => {
    const got = await step.waitForSignal("go", { timeout: 5 * MINUTE });
    return got ?? "too late";
  });
  return { workflow, requests: [signal("go", "go-0", "x")], wrong: returnsOneOf("x", "too late") };
}

const knock = (name: string, by: string): Request => ({
  what: by,
  send: (runtime, { runId }) => receiveHook(runtime, hookToken(runId, name), by),
  notYet: "hook_not_found",
});

/** Of all who post to a hook the first is heard, and nobody else. */
function doorkeeper(world: Simulation): Program {
  const body = bodies(world);
  const workflow = defineWorkflow({ name: "doorkeeper" }, async ({ step }) => {
    const door = await step.hook("door");
    await step.run("ring", body("ring"));
    const got = await door.received();
    await step.run("open", body("open"));
    return got;
  });
  return {
    workflow,
    requests: ["Ann", "Bob"].map((guest) => knock("door", guest)),
    wrong: (outcome) =>
      outcome.knocked.length === 1
        ? returns(outcome.knocked[0])(outcome)
        : `${outcome.knocked.length} were let in`,
  };
}

/** A hook that nobody may use in time. */
function latecomer(): Program {
  const workflow = defineWorkflow({ name: "latecomer" }, async ({ step }) => {
    const gate = await step.hook("gate", { expires: "10 seconds" });
    return (await gate.received({ timeout: "2 minutes" })) ?? "shut";
  });
  return {
    workflow,
    requests: [knock("gate", "Cid")],
    wrong: ({ knocked, ...outcome }) => returns(knocked[0] ?? "shut")({ knocked, ...outcome }),
  };
}

/** Who belongs to a group is signalled with it, once; who has left it is not. */
function member(): Program {
  const workflow = defineWorkflow({ name: "member" }, async ({ step, run }) => {
    await run.join("team");
    const heard = [await step.waitForSignal("rally"), await step.waitForSignal("rally")];
    await run.leave("team");
    await step.sleep("rest", MINUTE);
    const late = () => step.waitForSignal("rally", { timeout: MINUTE });
    for (let more = await late(); more !== null; more = await late()) heard.push(more);
    return heard.join();
  });
  const rally = (id: string): Request => ({
    what: id,
    send: (runtime, { tenant }) =>
      signalGroup(runtime, tenant, "team", { name: "rally", id, payload: plain(id) }),
  });
  return {
    workflow,
    need: (run, n) =>
      waitsFor(run, "signal", "rally") && run.groups.has("team") ? rally(`rally ${n}`) : null,
    wrong: (outcome) => returns(outcome.arrived.join())(outcome),
  };
}

function plain(text: string) {
  return { json: text, meta: null };
}
