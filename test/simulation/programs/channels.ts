/** Channels: broadcast, competing and direct, by runs that listen and runs that publish. */
import { defineWorkflow } from "../../../src/pawl.ts";
import { publishMessage } from "../../../src/runtime/publish-message.ts";
import type { ChannelRow, StoredRun } from "../../model/memory/tables.ts";
import type { Simulation } from "../simulation.ts";
import { bodies, MINUTE, type Program, type Request, returns, waitsFor } from "./program.ts";

export function channelPrograms(world: Simulation): readonly Program[] {
  return [reader(), guest(world), worker(world), addressee(), herald(), stranger()];
}

const message = (channel: string, id: string, to?: "itself"): Request => ({
  what: id,
  send: (runtime, { tenant, runId }) => {
    const payload = { json: `${id} for ${runId}`, meta: null };
    const receiver = to === undefined ? null : runId;
    return publishMessage(runtime, tenant, { id: `${id} for ${runId}`, channel, payload, to: receiver });
  },
});

const messages = (channel: string, to?: "itself") => [
  message(channel, "one", to),
  message(channel, "two", to),
];

/** Whoever waits on the channel gets another message. */
const another =
  (channel: string, to?: "itself") =>
  (run: StoredRun, n: number): Request | null =>
    waitsFor(run, "message", channel) ? message(channel, `extra ${n}`, to) : null;

/** What was published since it subscribed, none left out and none twice, also where it goes on as another run (I5). */
function reader(): Program {
  const workflow = defineWorkflow({ name: "reader" }, async ({ step, input }) => {
    const got = (input ?? []) as unknown[];
    if (got.length === 0) await step.subscribe("news");
    got.push(await step.receive("news"));
    if (got.length < 3) await step.continueAsNew(got);
    return got;
  });
  return {
    workflow,
    requests: messages("news"),
    need: another("news"),
    wrong: (outcome) => {
      if (outcome.continued) return null;
      const [heard = []] = outcome.heard("news");
      return returns(heard.slice(0, 3))(outcome);
    },
  };
}

/** Subscribes twice: what was published between the two is not for it. */
function guest(world: Simulation): Program {
  const workflow = defineWorkflow({ name: "guest" }, async ({ step }) => {
    const visit = async () => {
      await step.subscribe("news");
      let got: unknown = null;
      while (got === null) got = await step.receive("news", { timeout: 3 * MINUTE });
      return got;
    };
    const first = await visit();
    await step.unsubscribe("news");
    await step.run("walk", bodies(world)("walk"));
    return [first, await visit()];
  });
  return {
    workflow,
    need: another("news"),
    wrong: (outcome) => returns(outcome.heard("news").map(([first]) => first))(outcome),
  };
}

/** Every job is somebody's, and nobody else's: see `wrongChannels`. */
function worker(world: Simulation): Program {
  const workflow = defineWorkflow({ name: "worker" }, async ({ step }) => {
    await step.subscribe("jobs", { mode: "competing" });
    const [one, other] = await Promise.all([step.receive("jobs"), step.receive("jobs")]);
    await step.run("work", bodies(world)("work"));
    return one !== other;
  });
  return { workflow, requests: messages("jobs"), need: another("jobs"), wrong: returns(true) };
}

/** Messages that name it, also those from before it listened, in their order. */
function addressee(): Program {
  const workflow = defineWorkflow({ name: "addressee" }, async ({ step }) => {
    await step.subscribe("letters", { mode: "direct" });
    return [await step.receive("letters"), await step.receive("letters")];
  });
  return {
    workflow,
    requests: messages("letters", "itself"),
    need: another("letters", "itself"),
    wrong: (outcome) => returns(outcome.addressed("letters").slice(0, 2))(outcome),
  };
}

/** What a run publishes is published once, in its order. */
function herald(): Program {
  const workflow = defineWorkflow({ name: "herald" }, async ({ step, run }) => {
    for (const word of ["first", "second"]) await step.publish("news", `${word} of ${run.id}`);
    await step.publish("jobs", `a job of ${run.id}`);
    return run.id;
  });
  return {
    workflow,
    wrong: (outcome) => {
      const { id } = outcome.stored.row;
      const said = outcome.published.filter((payload) => String(payload).endsWith(` of ${id}`));
      const wanted = [`first of ${id}`, `second of ${id}`, `a job of ${id}`];
      return said.join() === wanted.join() ? returns(id)(outcome) : `it published ${said.join()}`;
    },
  };
}

/** Who waits without having subscribed is told so, and does not wait for ever. */
function stranger(): Program {
  const workflow = defineWorkflow({ name: "stranger" }, async ({ step, run }) => {
    const refused: unknown[] = [];
    const note = ({ cause }: { cause?: unknown }) => void refused.push((cause as { code: string }).code);
    await step.receive("news").catch(note);
    const own = `of ${run.id}`;
    await step.subscribe(own, { mode: "competing" });
    await step.subscribe(own, { mode: "broadcast" }).catch(note);
    return refused.join();
  });
  return { workflow, wrong: returns("not_subscribed,channel_mode_conflict") };
}

/** Of each message that was given to one of many: it is journaled once, or still free. Null when all is well. */
export function wrongChannels(runs: readonly StoredRun[], channels: Iterable<Channel>): string | null {
  const taken = new Map<unknown, number>();
  for (const { journal } of runs) {
    for (const { entry } of journal) {
      const isMessage = entry.kind === "message" && entry.key?.startsWith("receive jobs") === true;
      if (!isMessage || entry.outcome !== "completed") continue;
      const payload = entry.output?.json;
      taken.set(payload, (taken.get(payload) ?? 0) + 1);
    }
  }
  for (const [payload, times] of taken) if (times > 1) return `the job ${payload} was done ${times} times`;
  for (const { name, messages } of channels) {
    if (name !== "jobs") continue;
    const gone = [...messages.values()].filter(({ claimedBy }) => claimedBy === "").length;
    if (gone !== taken.size) return `${gone} jobs were taken, and ${taken.size} are journaled`;
  }
  return null;
}

type Channel = Pick<ChannelRow, "name" | "messages">;
