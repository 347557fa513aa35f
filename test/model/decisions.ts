/** Random decisions, of the shapes that the engine gives. */
import type { Decision, NewBranch, NewWait } from "../../src/engine/decide.ts";
import type { Effect } from "../../src/engine/effect.ts";
import type { NewEntry } from "../../src/engine/journal.ts";
import type { ClaimedRun, NewRun, RunRef } from "../../src/engine/run.ts";
import { boom, DAY, decision, HOUR, MINUTE } from "../storage/support/builders.ts";
import type { Chance } from "./chance.ts";

const STATUSES = [
  ...(["ready", "ready", "ready", "ready"] as const),
  ...(["waiting", "waiting", "waiting", "waiting", "waiting", "waiting"] as const),
  ...(["completed", "completed", "failed", "failed", "dead"] as const),
] as const;

/** A decision for whichever turn it is given. */
export type Shape = (run: ClaimedRun) => Decision;

/** `newRun` gives runs that the decision starts. */
export function randomDecision(chance: Chance, newRun: () => NewRun): Shape {
  const status = chance.pick(STATUSES);
  const isOver = status !== "ready" && status !== "waiting";
  const parked = isOver ? noneBegun() : begun(chance);
  const children = chance.maybe(5, newRun);
  const [successor] = status === "completed" ? chance.maybe(2, newRun) : [];
  const entries = [...chance.maybe(2, () => newEntry(chance)), ...chance.maybe(4, () => newEntry(chance))];
  const effects = [newEffect(chance), ...chance.maybe(2, () => newEffect(chance))];
  const [takes, endsWaits, endsBranches, endsTimers] = [3, 4, 5, 2].map((sides) => chance.isRare(sides));
  const isUndone = !isOver && chance.isRare(7);
  const hasUndoneAll = chance.isRare(3);
  return (run) => {
    const last = run.journal.at(-1)?.seq ?? 0;
    const fails = { status: "failed", failure: boom } as const;
    const end = hasUndoneAll && run.verdict !== null ? "completed" : status;
    const begins = end === "ready" || end === "waiting" ? parked : noneBegun();
    const endedTimers = begins !== parked || endsTimers ? run.timers.map(({ key }) => key) : [];
    return decision(run, {
      ...begins,
      ...endOf(run, end),
      wakeInMs: end === "ready" ? 0 : begins.wakeInMs,
      verdict: run.verdict ?? (isUndone ? fails : null),
      parent: run.parent,
      currentStep: "step",
      entries: entries.map((one, i) => ({ ...one, seq: last + 1 + i })),
      waits: [...begins.waits, ...children.map(waitFor)],
      // No key is used twice: what ends with a turn does not begin with it.
      timers: begins.timers.filter(({ key }) => !endedTimers.includes(key)),
      endedTimers,
      endedWaits: endsWaits ? run.waits.map(({ key }) => key) : [],
      endedBranches: endsBranches ? run.branches.map(({ key }) => key) : [],
      consumed: takes ? run.inbox.map(({ id, name }) => ({ id, key: name })) : [],
      effects: [
        ...effects.map((effect) => ownedBy(run, effect)),
        ...children.map((child) => startOf(run, child)),
      ],
      successor:
        successor === undefined || run.verdict !== null
          ? null
          : { ...successor, parent: run.parent, continuedFrom: run.runId },
    });
  };
}

/** A run that has undone everything is what its verdict says. */
function endOf({ verdict }: ClaimedRun, status: (typeof STATUSES)[number]): Partial<Decision> {
  if (verdict !== null && (status === "completed" || status === "failed"))
    return { ...verdict, output: null };
  return {
    status,
    failure: status === "failed" || status === "dead" ? boom : null,
    output: status === "completed" ? { json: 1, meta: null } : null,
  };
}

function begun(chance: Chance) {
  return {
    wakeInMs: chance.pick([null, null, 1_000, HOUR, 2 * DAY]),
    waits: [newWait(chance), ...chance.maybe(3, () => newWait(chance))],
    branches: [...chance.maybe(3, () => newBranch(chance)), ...chance.maybe(3, () => newBranch(chance))],
    timers: chance.maybe(5, () => ({ key: chance.name(), due: { inMs: HOUR } })),
  };
}

function noneBegun(): ReturnType<typeof begun> {
  return { wakeInMs: null, waits: [], branches: [], timers: [] };
}

const KINDS = [
  ...(["step", "transaction", "sleep", "value", "hook", "hook"] as const),
  ...(["join", "leave", "subscribe", "unsubscribe", "mutation"] as const),
] as const;

/** Few, so that a hook and its entry meet. */
function hookKey(chance: Chance): string {
  return `hook:${chance.name()}#${chance.roll(3)}`;
}

function newEntry(chance: Chance): Omit<NewEntry, "seq"> {
  const outcome = chance.pick(["completed", "completed", "retrying", "failed", "timed_out"] as const);
  const isWell = outcome === "completed" || outcome === "timed_out";
  const kind = chance.pick(KINDS);
  const key = kind === "hook" ? hookKey(chance) : `${kind}:${chance.name()}#${chance.roll(9)}`;
  return {
    kind,
    key,
    outcome,
    attempt: 1 + chance.roll(3),
    output: outcome === "completed" ? chance.value() : null,
    failure: isWell ? null : boom,
    retryInMs: outcome === "retrying" ? 1_000 : null,
    tookMs: 5,
    ...(chance.isRare(3) ? { agoMs: 20 } : {}),
  };
}

function newWait(chance: Chance): NewWait {
  const kind = chance.pick([
    "signal",
    "signal",
    "signal",
    "message",
    "message",
    "person",
    "mutation",
  ] as const);
  const due = chance.pick([null, null, { inMs: HOUR }]);
  return { key: `${kind} ${chance.roll(6)}`, kind, name: chance.name(), due };
}

function waitFor({ id }: NewRun): NewWait {
  return { key: `child ${id}`, kind: "child", name: id, due: null };
}

/** The digest of a hook is that of its run and its key. */
function ownedBy(run: ClaimedRun, effect: Effect): Effect {
  return effect.kind === "hook" ? { ...effect, digest: digestOf(run, effect.key) } : effect;
}

export function digestOf({ tenant, runId }: RunRef, key: string): string {
  return `${tenant} ${runId} ${key}`;
}

function startOf({ runId }: ClaimedRun, child: NewRun): Effect {
  return { kind: "start", run: { ...child, parent: { runId, key: waitFor(child).key } } };
}

function newBranch(chance: Chance): NewBranch {
  const due = chance.pick([null, null, null, { inMs: MINUTE }, { inMs: 2 * DAY }]);
  return { key: chance.name(), askedAt: chance.roll(3), attempt: 1, spent: 0, due };
}

function newEffect(chance: Chance): Effect {
  const [name, value] = [chance.name(), chance.value()];
  const expiresInMs = chance.pick([MINUTE, HOUR]);
  const event = { id: `event ${chance.roll(30)}`, type: `order.${name}`, subject: null, data: value };
  const emitted: Effect = { kind: "emit", event };
  return chance.pick<Effect>([
    { kind: "join", group: name },
    { kind: "leave", group: name },
    { kind: "set", key: name, value },
    { kind: "append", key: name, value },
    { kind: "hook", key: hookKey(chance), digest: "", expiresInMs },
    emitted,
    emitted,
  ]);
}
