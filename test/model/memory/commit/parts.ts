import { addEvents } from "../outbox.ts";
import { endBranches, forkBranches } from "./branches.ts";
import { moveOn, startChildren } from "./children.ts";
import { clearUp, tellParents } from "./endings.ts";
import type { Part } from "./held.ts";
import { addHooks, changeGroups, changeState } from "./shared.ts";
import { beginWaits, consumeDeliveries, endWaits } from "./waits.ts";

/** The order matters: what is taken leaves before the waits look for what has arrived; the parent hears last. */
export const PARTS: readonly Part[] = [
  consumeDeliveries,
  endWaits,
  beginWaits,
  endBranches,
  forkBranches,
  startChildren,
  moveOn,
  changeGroups,
  addHooks,
  changeState,
  addEvents,
  tellParents,
  clearUp,
];
