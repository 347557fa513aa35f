/** What runs show to others: groups, hooks, state. */
import type { Json } from "../../../../src/engine/codec.ts";
import { addHook, joinGroup, leaveGroup } from "../runs.ts";
import { after } from "../values.ts";
import { NOBODY, type Part } from "./held.ts";

/** Of several joins and leaves of one group, the last counts. */
export const changeGroups: Part = {
  concerns: ({ effects }) => effects.length > 0,
  write({ now }, { run, tenant, decision }) {
    const last = new Map<string, boolean>();
    for (const effect of decision.effects) {
      if (effect.kind === "join" || effect.kind === "leave") last.set(effect.group, effect.kind === "join");
    }
    for (const [name, member] of last) {
      if (member) joinGroup(tenant, run, name, now);
      else leaveGroup(tenant, run, name);
    }
    return NOBODY;
  },
};

export const addHooks: Part = {
  concerns: ({ effects }) => effects.length > 0,
  write(state, { run, decision }) {
    for (const effect of decision.effects) {
      if (effect.kind !== "hook") continue;
      addHook(state, run, effect.key, effect.digest, after(state.now, effect.expiresInMs));
    }
    return NOBODY;
  },
};

export const changeState: Part = {
  concerns: ({ effects }) => effects.length > 0,
  write({ now }, { run, decision }) {
    for (const effect of decision.effects) {
      if (effect.kind !== "set" && effect.kind !== "append") continue;
      const { kind, key, value } = effect;
      const before = run.state.get(key)?.value;
      run.state.set(key, { value: kind === "set" ? value.json : append(before, value.json), updatedAt: now });
    }
    return NOBODY;
  },
};

/** What is no array yet becomes the first item of one. */
function append(before: Json | undefined, item: Json): Json {
  if (before === undefined) return [item];
  return Array.isArray(before) ? [...before, item] : [before, item];
}
