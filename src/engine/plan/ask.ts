/** Asks: what a workflow function called, as replay keeps it until there is an outcome. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { InstantEdge, Performance, Settlement, WaitEdge, When, Work } from "../edge.ts";
import type { Effect } from "../effect.ts";
import type { Entry, EntryKind } from "../journal.ts";
import type { ChildRequest } from "../platform.ts";
import type { CompensationContext } from "../workflow.ts";
import type { MapProgress } from "./map.ts";

export interface StepAsk {
  readonly kind: "step";
  readonly entry: EntryKind;
  readonly key: string;
  readonly work: Work;
  readonly options: Performance;
  readonly compensate?: Compensator | undefined;
}

export interface MapAsk {
  readonly kind: "map";
  readonly key: string;
  readonly progress: MapProgress;
  readonly work: (index: number) => Work;
  readonly options: Performance;
  readonly compensate?: Compensator | undefined;
}

export interface SleepAsk {
  readonly kind: "sleep";
  readonly key: string;
  readonly due: When;
}

export interface WaitAsk {
  readonly kind: "wait";
  readonly on: WaitEdge["on"];
  readonly key: string;
  readonly name: string | null;
  readonly due: When | null;
  readonly schema?: StandardSchemaV1 | undefined;
  readonly child?: ChildRequest | undefined;
  /** What the workflow is given when the wait is given up; null without it. */
  readonly lapsed?: unknown;
}

export interface InstantAsk {
  readonly kind: "instant";
  readonly entry: EntryKind;
  readonly key: string;
  readonly settle: InstantEdge["settle"];
  /** What the workflow is given, where that is not the stored output. */
  readonly restore?: (entry: Entry) => unknown;
}

export type Ask = StepAsk | MapAsk | SleepAsk | WaitAsk | InstantAsk;

/** Undoes a step; what it returns is journaled like a step's output. */
export type Compensator = (context: CompensationContext<unknown>) => unknown;

/** What the journal will call the ask. */
export function entryKindOf(ask: Ask): EntryKind {
  switch (ask.kind) {
    case "step":
    case "instant":
      return ask.entry;
    case "wait":
      return ask.on;
    case "sleep":
      return "sleep";
    case "map":
      return "step";
  }
}

/** Notes an ask under `name` and gives the promise of its outcome. */
export type Asker = <T>(name: string, make: (key: string) => Ask) => Promise<T>;

/** What is settled by an effect alone, and gives nothing. */
export function effectOnly(effect: Effect): Settlement {
  return { output: null, effects: [effect] };
}
