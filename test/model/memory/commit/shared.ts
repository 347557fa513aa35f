/** What runs show to others: groups, hooks, state. */
import type { Json } from "../../../../src/engine/codec.ts";
import type { Effect } from "../../../../src/engine/effect.ts";
import { addHook, joinGroup, leaveGroup } from "../runs.ts";
import type { State } from "../tables.ts";
import { after } from "../values.ts";
import { type Held, NOBODY, type Part } from "./held.ts";

/** Does `change` for every effect of every turn, in the order in which they were made. */
function forEachEffect(change: (state: State, held: Held, effect: Effect) => void): Part {
  return (state, held) => {
    for (const one of held) for (const effect of one.decision.effects) change(state, one, effect);
    return NOBODY;
  };
}

/** Of several joins and leaves of one group, the last counts. */
export const changeGroups: Part = (state, held) => {
  for (const { run, tenant, decision } of held) {
    const last = new Map<string, boolean>();
    for (const effect of decision.effects) {
      if (effect.kind === "join" || effect.kind === "leave") last.set(effect.group, effect.kind === "join");
    }
    for (const [name, member] of last) {
      if (member) joinGroup(tenant, run, name, state.now);
      else leaveGroup(tenant, run, name);
    }
  }
  return NOBODY;
};

export const addHooks = forEachEffect((state, { run }, effect) => {
  if (effect.kind !== "hook") return;
  addHook(state, run, effect.key, effect.digest, after(state.now, effect.expiresInMs));
});

export const changeState = forEachEffect(({ now }, { run }, effect) => {
  if (effect.kind !== "set" && effect.kind !== "append") return;
  const { kind, key, value } = effect;
  const before = run.state.get(key)?.value;
  run.state.set(key, { value: kind === "set" ? value.json : append(before, value.json), updatedAt: now });
});

/** What is no array yet becomes the first item of one. */
function append(before: Json | undefined, item: Json): Json {
  if (before === undefined) return [item];
  return Array.isArray(before) ? [...before, item] : [before, item];
}
