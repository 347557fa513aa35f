/** What the engine is lent from outside, because it has neither a clock nor randomness nor I/O of its own. */
import type { NewRun } from "./run.ts";
import type { AnyWorkflow, ChannelMode, ChildOptions } from "./workflow.ts";

/** The start of a run by another. */
export interface ChildRequest {
  readonly workflow: AnyWorkflow;
  readonly input: unknown;
  readonly options: ChildOptions;
}

/** What the platform performs in the place of a step's body. Safe to do again: `id` names the act. */
export interface Platform {
  subscribe(channel: string, mode: ChannelMode): Promise<void>;
  unsubscribe(channel: string): Promise<void>;
  publish(id: string, channel: string, payload: unknown, to: string | undefined): Promise<void>;
  /** Sends a signal to another run. */
  send(id: string, runId: string, signal: string, payload: unknown): Promise<void>;
}

/** For what the commit does at once. */
export interface Tools {
  /** Milliseconds since 1970 by the database's clock, of the claim. */
  readonly now: number;
  random(): number;
  uuid(): string;
  /** Throws what the start of the child would be refused with. */
  toNewRun(key: string, child: ChildRequest, awaited: boolean): Promise<NewRun>;
  /** SHA-256 of the hook's token, as hexadecimal. */
  hookDigest(key: string): string;
}

/** Known while replaying: a hook's address is derived, never stored. */
export interface Addresses {
  hookUrl(runId: string, key: string): string;
}
