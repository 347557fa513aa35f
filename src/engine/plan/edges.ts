/** What open asks come to, with what is known of each: attempts that failed, sleeps and waits that have begun. */
import type { Edge, StepEdge, When } from "../edge.ts";
import type { Attempts, Timer, Wait } from "../journal.ts";
import type { Ask, MapAsk, StepAsk } from "./ask.ts";
import { itemKey } from "./map.ts";

/** What is known of the asks of a run, besides outcomes. */
export interface Standing {
  readonly timers: ReadonlyMap<string, Timer>;
  readonly waits: ReadonlyMap<string, Wait>;
  /** Failed attempts of a key, and when the next is due. */
  attemptsOf(key: string): (Attempts & { readonly due: When | null }) | undefined;
}

export function edgesOf(ask: Ask, askedAt: number, standing: Standing): Edge[] {
  switch (ask.kind) {
    case "step":
      return [stepEdge(ask, askedAt, standing)];
    case "map":
      return ask.progress.window().map((index) => itemEdge(ask, index, askedAt, standing));
    case "sleep": {
      const timer = standing.timers.get(ask.key);
      const due = timer === undefined ? ask.due : { at: timer.dueAt };
      return [{ kind: "sleep", key: ask.key, due, begunAt: timer?.begunAt ?? null }];
    }
    case "wait": {
      const { key, on, name, schema, child } = ask;
      const wait = standing.waits.get(key);
      const due = wait === undefined ? ask.due : wait.dueAt === null ? null : { at: wait.dueAt };
      return [{ kind: "wait", on, key, name, due, begunAt: wait?.begunAt ?? null, schema, child }];
    }
    case "instant":
      return [{ kind: "instant", entry: ask.entry, key: ask.key, settle: ask.settle }];
  }
}

export function itemEdge(map: MapAsk, index: number, askedAt: number, standing: Standing): StepEdge {
  const { options } = map;
  const key = itemKey(map.key, index);
  return stepEdge({ kind: "step", entry: "step", key, work: map.work(index), options }, askedAt, standing);
}

export function stepEdge(ask: StepAsk, askedAt: number, standing: Standing): StepEdge {
  const { key, entry, work, options } = ask;
  const { last = 0, spent = 0, due = null, unknown = false } = standing.attemptsOf(key) ?? {};
  return { kind: "step", entry, key, work, options, askedAt, attempt: last + 1, spent, due, unknown };
}
