/** What a person does with runs, and asks about them. */
import type { Reads, RunFilter } from "../../../src/engine/reads.ts";
import { RUN_STATUSES } from "../../../src/engine/run.ts";
import { digestOf } from "../decisions.ts";
import { type Act, ask, type Choices, refOf } from "./choices.ts";

export function move(choices: Choices): Act {
  const branch = choices.chance.isRare(5) ? choices.branchInSomeState() : undefined;
  const ref = branch === undefined ? choices.runInSomeState() : refOf(branch);
  return choices.chance.pick<Act>([
    ask((store) => store.cancelRun(ref, false)),
    ask((store) => store.cancelRun(ref, true)),
    ask((store) => store.cancelRun(ref, true)),
    ask((store) => store.pauseRun(ref)),
    ask((store) => store.pauseRun(ref)),
    ask((store) => store.resumeRun(ref)),
    ask((store) => store.resumeRun(ref)),
    ask((store) => store.reviveRun(ref)),
    ask((store) => store.reviveRun(ref)),
    ask((store) => store.discardRun(ref)),
  ]);
}

/** With the addresses of the hooks that the old run made before the step. */
export function fork(choices: Choices): Act {
  const { chance } = choices;
  const source = choices.runWith("journal");
  const journal = choices
    .rowsOf("journal")
    .filter((row) => row.tenant === source.tenant && row.run_id === source.runId);
  const keys = journal.flatMap(({ key }) => (typeof key === "string" ? [key] : []));
  const from = chance.pick([null, "nothing", ...keys, ...keys]);
  const input = { json: chance.isRare(4) ? 8 : 7, meta: null };
  const run = choices.newRun(source.tenant, {
    input,
    idempotencyKey: chance.pick([null, null, "key", "fork"]),
  });
  const hooks = [...new Set(keys)]
    .filter(isHook)
    .map((key) => ({ key, digest: digestOf({ tenant: source.tenant, runId: run.id }, key) }));
  return ask((store) => store.forkRun(source, { run, from, hooks }));
}

function isHook(key: string): boolean {
  return key.startsWith("hook:");
}

const WAITS = ["signal", "message", "child", "person", "mutation", "time", "besides-time"] as const;

/** Every question that can be asked; the answers say nothing that is not in the rows, but they must be the same. */
export function look(choices: Choices): Act {
  const { chance } = choices;
  const ref = choices.runWith(chance.pick(["runs", "journal", "outbox", "run_groups"]));
  const { tenant, runId } = ref;
  const filter = filterOf(choices);
  const few = chance.isRare(2) ? filter : {};
  const event = String(choices.row("outbox")?.id ?? "nothing");
  const status = chance.pick([undefined, "pending", "sent", "dead"] as const);
  const after = chance.roll(2);
  const [run, before] = [chance.pick([undefined, runId]), chance.pick([null, runId])];
  const questions: readonly ((reads: Reads) => Promise<unknown>)[] = [
    (reads) => reads.run(ref),
    (reads) => reads.runs(tenant, filter, 5, before),
    (reads) => reads.deadLetters(tenant, few, 5, null),
    (reads) => reads.journal(ref, 3, after),
    (reads) => reads.underWay(ref),
    (reads) => reads.state(ref, null),
    (reads) => reads.forkSource(ref),
    (reads) => reads.events(tenant, { status, run }, 5, null),
    (reads) => reads.event(tenant, event),
    (reads) => reads.channels(tenant, 2, "a"),
    (reads) => reads.groupMembers(tenant, "a", 2, ""),
    (reads) => reads.searchEnd(tenant, { input: { path: [], value: "7" } }, null),
    (reads) => reads.health(),
  ];
  const question = chance.pick(questions);
  return ({ under }) => question(under.reads);
}

/** None by time: that asks for ids that hold the time, too. */
function filterOf({ chance, side }: Choices): RunFilter {
  const { runId: parent = "nobody" } = side.runs.at(-2) ?? {};
  return chance.pick<RunFilter>([
    {},
    { workflow: "ship", statuses: [chance.pick(RUN_STATUSES), chance.pick(RUN_STATUSES)] },
    { tags: [chance.name()] },
    { parent },
    { waitingFor: chance.pick(WAITS) },
    { input: { path: [], value: "7" } },
  ]);
}
