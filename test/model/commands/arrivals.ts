/** What comes from outside: signals, posts to hooks, a person's word, more steps of a graph, messages. */
import type { RunRef } from "../../../src/engine/run.ts";
import type { Row } from "../../storage/support/bed.ts";
import { HOUR } from "../../storage/support/builders.ts";
import { type Act, ask, type Choices, refOf } from "./choices.ts";

export function signal(choices: Choices): Act {
  const { chance } = choices;
  const { tenant, runId } = chance.isRare(2) ? choices.runWith("waits") : choices.runInSomeState();
  const ids = [runId, ...chance.maybe(2, () => choices.run().runId)];
  const [name, payload, id] = [chance.name(), chance.value(), chance.pick([null, "1", "2"])];
  return ask((store) =>
    store.deliverSignals(
      tenant,
      ids.map((each) => ({ runId: each, name, payload, id })),
    ),
  );
}

export function signalGroup(choices: Choices): Act {
  const { chance } = choices;
  const member = choices.row("run_groups");
  const [tenant, group] = [String(member?.tenant ?? choices.tenant()), String(member?.name ?? chance.name())];
  const [name, payload, id] = [chance.name(), chance.value(), chance.pick([null, "1", "2"])];
  const after = chance.pick(["", "", choices.run().runId]);
  const limit = chance.pick([1, 2, 100]);
  return ask((store) => store.signalGroup(tenant, group, { name, payload, id }, after, limit));
}

/** Hooks are known by their digests alone, whosever they are. */
export function postToHook(choices: Choices): Act {
  const { chance } = choices;
  const digest = String(choices.row("hooks")?.digest ?? "nothing");
  const payload = chance.value();
  return ask((store) => store.receiveHook(digest, payload));
}

export function word(choices: Choices): Act {
  const { chance } = choices;
  const asked = choices.row("waits", ({ kind }) => kind === "person" || chance.isRare(4));
  const ref = asked === undefined ? choices.run() : refOf(asked);
  const key = String(asked?.key ?? "nothing");
  const given = chance.pick([
    { outcome: "again" },
    { outcome: "completed", output: chance.value() },
  ] as const);
  return ask((store) => store.deliverWord(ref, key, given));
}

export function append(choices: Choices): Act {
  const { chance } = choices;
  const ref = chance.isRare(2)
    ? choices.runWith(chance.pick(["waits", "mutations", "deliveries"]))
    : choices.runInSomeState();
  const appended = choices.rowsOf("mutations").filter((row) => isOf(row, ref)).length;
  const mutation = {
    key: `m ${chance.roll(5)}`,
    request: { steps: [] },
    gate: chance.pick([`signal ${chance.roll(6)}`, chance.name(), "value:a#1"]),
    name: chance.name(),
    known: chance.isRare(4) ? appended + 1 : appended,
  };
  return chance.pick<Act>([
    ask((store) => store.appendSteps(ref, mutation)),
    ask((store) => store.appendSteps(ref, mutation)),
    // In no order.
    ask(async (store) => (await store.mutations(ref)).map(({ key }) => key).sort()),
  ]);
}

function isOf(row: Row, ref: RunRef): boolean {
  return row.tenant === ref.tenant && row.run_id === ref.runId;
}

const MODES = { a: "broadcast", b: "competing", c: "direct" } as const;

/** Channels of one mode mostly: else most commands are refused. */
export function message(choices: Choices): Act {
  const { chance } = choices;
  const waiting = chance.isRare(2) ? choices.row("waits", ({ kind }) => kind === "message") : undefined;
  const ref =
    waiting === undefined
      ? choices.runWith("runs", ({ finished_at }) => finished_at === null)
      : refOf(waiting);
  const channel = String(waiting?.name ?? chance.name());
  const usual = MODES[channel as keyof typeof MODES];
  const mode = chance.isRare(9) ? "broadcast" : usual;
  const to = (mode === "direct") === chance.isRare(9) ? null : ref.runId;
  const published = { id: `message ${chance.roll(50)}`, channel, payload: chance.value(), to };
  const { tenant } = ref;
  return chance.pick<Act>([
    ask((store) => store.subscribe(ref, channel, mode)),
    ask((store) => store.subscribe(ref, channel, mode)),
    ask((store) => store.unsubscribe(ref, channel)),
    ask((store) => store.publish(tenant, published)),
    ask((store) => store.publish(tenant, published)),
    ask((store) => store.publish(tenant, published)),
    ask((store) => store.matchMessages(tenant, channel, 100)),
    ask((store) => store.matchMessages(tenant, null, 100)),
    ask((store) => store.matchMessages(null, null, 100)),
    ask((store) => store.deleteOldMessages(HOUR, 100)),
  ]);
}
