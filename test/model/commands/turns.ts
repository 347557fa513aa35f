/** Runs, from their start to the end of a turn. */

import type { Store } from "../../../src/engine/ports.ts";
import type { ClaimedRun } from "../../../src/engine/run.ts";
import type { Row } from "../../storage/support/bed.ts";
import { DAY, HOUR, LEASE, MINUTE } from "../../storage/support/builders.ts";
import { randomDecision } from "../decisions.ts";
import { type Act, ask, at, byRef, type Choices } from "./choices.ts";

/** One run or a few, with keys, delays, deadlines and signals. */
export function start(choices: Choices): Act {
  const { chance } = choices;
  const tenant = choices.tenant();
  const keys = ["key", "key", "other key"].slice(chance.roll(3));
  const runs = [null, ...chance.maybe(4, () => null)].map(() =>
    choices.newRun(tenant, {
      input: { json: chance.isRare(8) ? 8 : 7, meta: null },
      tags: chance.maybe(3, () => chance.name()),
      idempotencyKey: chance.isRare(4) ? (keys.pop() ?? null) : null,
      delayMs: chance.pick([null, null, null, null, HOUR]),
      deadlineInMs: chance.pick([null, null, null, null, DAY, MINUTE]),
    }),
  );
  const signals = runs.flatMap(({ id }) =>
    chance.maybe(3, () => ({ runId: id, name: "a", payload: chance.value(), id: "1" })),
  );
  return ask((store) => store.startRuns(tenant, runs, signals));
}

/** As the dispatcher does: what is due, and then each suspect alone. */
export function claim(choices: Choices): Act {
  const claims = [due(choices), choices.runInSomeState(), { ...choices.run(), after: 2 }];
  return async ({ under, runs }) => {
    const batch = await under.store.claimRuns(claims, LEASE);
    const alone = [];
    for (const suspect of batch.suspects) alone.push(await under.store.claimSuspect(suspect, LEASE));
    const claimed = [batch, ...alone].flatMap((each) => each.claimed);
    runs.push(...claimed.toSorted(byRef));
    return [batch, alone];
  };
}

/** Whether its last turn was lost or not: of one that is healthy, nothing comes of it. */
export function claimAsSuspect(choices: Choices): Act {
  const isLost = ({ lost_turns, wake_at }: Row) => Number(lost_turns) > 0 && wake_at !== null;
  const [run, branch] = [choices.runWith("runs", isLost), choices.branch(isLost)];
  return choices.chance.pick<Act>([
    ({ under }) => under.store.claimSuspect(run, LEASE),
    ({ under }) => under.store.claimSuspectBranch(branch, LEASE),
  ]);
}

function due(choices: Choices) {
  return choices.runWith("runs", ({ wake_at }) => wake_at !== null);
}

/** Of one run or of two, in turns that are held or have long moved on. */
export function commit(choices: Choices): Act {
  const { chance, side } = choices;
  if (side.runs.length === 0) return claim(choices);
  const places = [choices.placeOfRun(), ...chance.maybe(4, () => choices.placeOfRun())];
  const shapes = [...new Set(places)].map((place) => ({
    place,
    shape: randomDecision(chance, () => choices.newRun(at(side.runs, place).tenant)),
  }));
  return ({ under, runs }) =>
    under.store.commitTurns(shapes.map(({ place, shape }) => shape(at(runs, place))));
}

export function holdRun(choices: Choices): Act {
  const { chance, side } = choices;
  if (side.runs.length === 0) return claim(choices);
  const place = choices.placeOfRun();
  return chance.pick<Act>([
    ({ under, runs }) => under.store.renewLease(at(runs, place), at(runs, place).turn, LEASE),
    ({ under, runs }) => readBack(under.store, at(runs, place)),
  ]);
}

/** What the claim may have left out: the journal, as of the turn or whoever holds the run, and what has arrived. */
async function readBack(store: Store, { inbox, ...run }: ClaimedRun): Promise<unknown> {
  const read = [];
  for (const { id } of inbox) read.push(await store.readDelivery(run, id));
  return [await store.readJournal(run, run, 0), await store.readJournal(run, { upTo: 2 }, 1), read];
}
