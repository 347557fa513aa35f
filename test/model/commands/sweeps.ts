/** What the cron does, and time. Without limits: of equal times, each store may begin with another. */
import type { ClaimedSend } from "../../../src/engine/event.ts";
import type { Store } from "../../../src/engine/ports.ts";
import { HOUR, LEASE, MINUTE } from "../../storage/support/builders.ts";
import { type Act, ask, at, type Choices } from "./choices.ts";

const ALL = 1_000;

export function sweep({ chance }: Choices): Act {
  const lostTurnLimit = chance.pick([1, 3, 3]);
  const mark = chance.pick([null, "a mark"]);
  const sinks = chance.pick([[], ["all", "some"]]);
  return chance.pick<Act>([
    ask((store) => store.reclaimLeases(ALL, lostTurnLimit)),
    ask((store) => store.reclaimBranches(ALL, lostTurnLimit)),
    ask((store) => store.collectDueRuns(ALL, MINUTE, 2 * MINUTE)),
    ask((store) => store.collectDueBranches(ALL, MINUTE, 2 * MINUTE)),
    ask((store) => store.recordTick(mark)),
    ask((store) => store.recordIdle(HOUR)),
    ask((store) => store.nextDue(sinks, { messageRetentionMs: HOUR, eventRetentionMs: MINUTE })),
  ]);
}

/** Every lease runs out and is taken back. */
export function loss(): Act {
  return async ({ under }) => {
    await under.moveClock(LEASE);
    return [await under.store.reclaimLeases(ALL, 3), await under.store.reclaimBranches(ALL, 3)];
  };
}

export function time({ chance }: Choices): Act {
  const ms = chance.pick([100, 1_000, 1_000, MINUTE, LEASE, LEASE, HOUR]);
  return ({ under }) => under.moveClock(ms);
}

const ROUTES = [
  { sink: "all", types: ["*"] },
  { sink: "some", types: ["order.a", "order.b"] },
];

/** Events, from their routing until they are forgotten. */
export function events(choices: Choices): Act {
  const { chance, side } = choices;
  const { sink } = chance.pick(ROUTES);
  const olderThanMs = chance.pick([0, MINUTE, HOUR]);
  return chance.pick<Act>([
    ask((store) => store.routeEvents(ROUTES, ALL)),
    claimSends(sink),
    claimSends(sink),
    ...(side.sends.length === 0 ? [] : [settle(choices), settle(choices), settle(choices)]),
    redeliver(choices),
    ask((store) => store.forgetEvents(ALL, olderThanMs)),
  ]);
}

/** Most often one that is dead somewhere. */
function redeliver(choices: Choices): Act {
  const dead = choices.row("outbox_sends", ({ status }) => status === "dead");
  const event = choices.row("outbox", ({ seq }) => dead === undefined || seq === dead.seq);
  const [tenant, id] = [String(event?.tenant ?? "default"), String(event?.id ?? "nothing")];
  const isOfAnother = choices.chance.isRare(5);
  return ask((store) => store.redeliverEvent(isOfAnother ? "nobody" : tenant, id));
}

function claimSends(sink: string): Act {
  return async ({ under, sends }) => {
    const claimed = await under.store.claimSends(sink, ALL, MINUTE);
    sends.push(...claimed);
    return claimed;
  };
}

/** Of a try that is the last, or that another has followed. */
function settle(choices: Choices): Act {
  const place = choices.placeOfSend();
  const status = choices.chance.pick(["sent", "sent", "pending", "dead", "dead"] as const);
  const retryInMs = status === "pending" ? 1_000 : null;
  const settleOne = (store: Store, { event: _, ...ref }: ClaimedSend) =>
    store.settleSends([{ ...ref, status, retryInMs, error: status === "sent" ? null : "no" }]);
  return ({ under, sends }) => settleOne(under.store, at(sends, place));
}
