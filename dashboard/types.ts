/** What the page receives, told by what the API sends. */
import type { presentDetail, presentLine, presentRun } from "../src/http/present.ts";

export type Run = ReturnType<typeof presentRun>;
export type RunDetail = ReturnType<typeof presentDetail>;
export type JournalLine = ReturnType<typeof presentLine>;
export type Failure = NonNullable<Run["failure"]>;

export interface RunPage {
  readonly runs: readonly Run[];
  readonly nextCursor: string | null;
}

export interface JournalPage {
  readonly entries: readonly JournalLine[];
  readonly nextCursor: string | null;
}

export interface Workflow {
  readonly name: string;
  readonly version: number;
  readonly inputSchema: unknown;
}

/** One page of the dashboard. */
export interface View {
  readonly title: string;
  readonly element: HTMLElement;
  /** Brings it up to date; false when nothing can change any more. */
  load(signal: AbortSignal): Promise<boolean>;
}

/** Does something to a run, tells what went wrong, and brings the view up to date. */
export type Act = (work: () => Promise<unknown>) => Promise<void>;
