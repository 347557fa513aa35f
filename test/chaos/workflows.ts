/** The workflows of the chaos: small, and between them everything a run can do. What each must return is in `samples.ts`. */
import { sql } from "drizzle-orm";
import * as z from "zod";
import { defineWorkflow, NonRetryableError, type StepContext } from "../../src/pawl.ts";
import { effect } from "../worker/fixture/effect.ts";

/** A worker that is cut off from the ledger fails its step; that must not use up what a healthy run has. */
const patiently = { retry: { maxAttempts: 40, delay: 50, backoff: "fixed" } } as const;

const whole = z.number().int();

/** Steps one after the other; the second fails `failures` times. */
const chain = defineWorkflow(
  { name: "chain", input: z.object({ steps: whole, failures: whole }) },
  async ({ input, step, run }) => {
    let sum = 0;
    for (let i = 1; i <= input.steps; i++) {
      sum += await step.run(
        "link",
        async (context) => {
          await effect(run.id, `link ${i}`, context);
          if (i === 2 && context.attempt <= input.failures) throw new Error("not yet");
          return i;
        },
        patiently,
      );
    }
    return sum;
  },
);

/** Steps side by side, then a map. */
const fan = defineWorkflow(
  { name: "fan", input: z.object({ width: whole, items: whole, concurrency: whole }) },
  async ({ input, step, run }) => {
    const numbers = Array.from({ length: input.width }, (_, i) => i);
    const parts = await Promise.all(
      numbers.map((i) =>
        step.run(`part ${i}`, (context) => effect(run.id, `part ${i}`, context).then(() => i), patiently),
      ),
    );
    const items = Array.from({ length: input.items }, (_, i) => i);
    const double = (item: number, context: StepContext) =>
      effect(run.id, `item ${item}`, context).then(() => item * 2);
    const doubled = await step.map("double", items, double, { ...patiently, concurrency: input.concurrency });
    return { parts, doubled };
  },
);

/** Values that every replay must see again, and a sleep between them. */
const nap = defineWorkflow({ name: "nap", input: z.object({ ms: whole }) }, async ({ input, step, run }) => {
  const uuid = await step.uuid();
  await run.set("phase", "asleep");
  await step.run("before", (context) => effect(run.id, `before ${uuid}`, context), patiently);
  await step.sleep("nap", input.ms);
  await step.run("after", (context) => effect(run.id, `after ${uuid}`, context), patiently);
  return { uuid };
});

/** Waits for so many signals, then for one that nobody sends. */
const approval = defineWorkflow(
  { name: "approval", input: z.object({ signals: whole, timeoutMs: whole }) },
  async ({ input, step, run }) => {
    const got: unknown[] = [];
    while (got.length < input.signals) got.push(await step.waitForSignal("approve"));
    const extra = await step.waitForSignal("extra", { timeout: input.timeoutMs });
    await step.run("approved", (context) => effect(run.id, "approved", context), patiently);
    return { got, extra };
  },
);

const leaf = defineWorkflow(
  { name: "leaf", input: z.object({ number: whole }) },
  async ({ input, step, run }) => {
    await step.run("leaf", (context) => effect(run.id, "leaf", context), patiently);
    return input.number;
  },
);

/** Children side by side, and a family of their own below them; one more child that nobody waits for. */
const family = defineWorkflow(
  { name: "family", input: z.object({ children: whole, depth: whole }) },
  async ({ input, step }): Promise<number> => {
    const numbers = Array.from({ length: input.children }, (_, i) => i + 1);
    await step.start("launch", leaf, { number: 0 });
    const own = numbers.map((number) => step.invoke(`invoke ${number}`, leaf, { number }));
    const below =
      input.depth > 0
        ? [step.invoke("family", family, { children: input.children, depth: input.depth - 1 })]
        : [];
    return (await Promise.all([...own, ...below])).reduce((sum, one) => sum + one, 0);
  },
);

/** Moves money between two rows of the user's own table: both move, and the run is noted, or nothing is. */
const transfer = defineWorkflow(
  { name: "transfer", input: z.object({ from: whole, to: whole, amount: whole }) },
  async ({ input, step, run }) => {
    const { from, to, amount } = input;
    const moved = await step.transaction(
      "move",
      async (tx, { emit }) => {
        const changes = [
          { account: from, change: -amount },
          { account: to, change: amount },
        ].sort((a, b) => a.account - b.account);
        for (const { account, change } of changes)
          await tx.execute(
            sql`update chaos.accounts set balance = balance + ${change} where account = ${account}`,
          );
        await tx.execute(sql`insert into chaos.transfers (run_id) values (${run.id})`);
        emit({ type: "chaos.moved", data: { amount } });
        return amount;
      },
      patiently,
    );
    await step.run("moved", (context) => effect(run.id, "moved", context), patiently);
    return moved;
  },
);

/** Books three things; the confirmation is refused for good when `fails`. */
const trip = defineWorkflow(
  { name: "trip", input: z.object({ fails: z.boolean() }) },
  async ({ input, step, run }) => {
    const book = (what: string) =>
      step.run(`book ${what}`, (context) => effect(run.id, `book ${what}`, context).then(() => what), {
        ...patiently,
        compensate: (context) => effect(run.id, `undo ${context.output}`, context),
      });
    await book("hotel");
    await Promise.all([book("flight"), book("car")]);
    await step.run(
      "confirm",
      async (context) => {
        await effect(run.id, "confirm", context);
        if (input.fails) throw new NonRetryableError("sold out");
      },
      patiently,
    );
    return "home";
  },
);

const channel = z.object({ channel: z.string(), messages: whole });

const publisher = defineWorkflow({ name: "publisher", input: channel }, async ({ input, step }) => {
  for (let i = 0; i < input.messages; i++) await step.publish(input.channel, i);
  return input.messages;
});

const listener = defineWorkflow({ name: "listener", input: channel }, async ({ input, step }) => {
  await step.subscribe(input.channel, { mode: "competing" });
  const heard: unknown[] = [];
  while (heard.length < input.messages) heard.push(await step.receive(input.channel));
  await step.unsubscribe(input.channel);
  return heard;
});

/** A member of a group until the group is told to go. */
const member = defineWorkflow(
  { name: "member", input: z.object({ group: z.string() }) },
  async ({ input, step, run }) => {
    await run.join(input.group);
    await step.waitForSignal("go");
    await run.leave(input.group);
    return "gone";
  },
);

/** Counts to `until` over as many runs. */
const counter = defineWorkflow(
  { name: "counter", input: z.object({ at: whole, until: whole }) },
  async ({ input, step, run }) => {
    await step.run("count", (context) => effect(run.id, "count", context), patiently);
    if (input.at < input.until) await step.continueAsNew({ at: input.at + 1, until: input.until });
    return input.at;
  },
);

/** Charges at most once: a charge that was cut off is for a person to look into. */
const charge = defineWorkflow({ name: "charge" }, async ({ step, run }) =>
  step.run("charge", (context) => effect(run.id, "charge", context).then(() => "charged"), {
    atMostOnce: true,
  }),
);

/** Tells the outside what it has come to, in order. */
const herald = defineWorkflow(
  { name: "herald", input: z.object({ events: whole }) },
  async ({ input, step, run }) => {
    for (let n = 1; n <= input.events; n++) {
      await step.emit("cry", { type: "chaos.cried", data: { n } });
      await step.run("walk", (context) => effect(run.id, `walk ${n}`, context), patiently);
    }
    return input.events;
  },
);

/** Fails for good until the ledger says that it is mended; then somebody has to revive it. */
const fragile = defineWorkflow({ name: "fragile" }, async ({ step, run }) => {
  await step.run("solid", (context) => effect(run.id, "solid", context), patiently);
  await step.run(
    "fragile",
    async (context) => {
      const answer = (await effect(run.id, "fragile", context)) as { broken?: boolean };
      if (answer.broken) throw new NonRetryableError("broken");
    },
    patiently,
  );
  return "whole";
});

export const workflows = [
  chain,
  fan,
  nap,
  approval,
  leaf,
  family,
  transfer,
  trip,
  publisher,
  listener,
  member,
  counter,
  charge,
  herald,
  fragile,
];
