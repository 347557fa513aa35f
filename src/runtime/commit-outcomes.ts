import type { BranchOutcome } from "../engine/branch.ts";
import { bytesOf } from "../engine/codec.ts";
import { type Decision, decideRefused } from "../engine/decide.ts";
import { toFailure } from "../engine/failure.ts";
import { askForDelivery } from "./deliver-events.ts";
import type { Commit } from "./group-commit.ts";
import type { Runtime } from "./runtime.ts";

/** How decisions of turns are committed. One that Postgres will never accept makes its own run dead. */
export function turnCommit(runtime: Runtime): Commit<Decision> {
  return {
    what: "turns",
    async write(decisions) {
      const { due } = await runtime.store.commitTurns(decisions);
      const waits = decisions.flatMap(({ tenant, waits }) =>
        waits.flatMap(({ kind, name }) => (kind === "message" ? [{ tenant, channel: name }] : [])),
      );
      // Messages that were there before the wait began.
      const matched = await Promise.all(
        waits.map(({ tenant, channel }) =>
          runtime.store.matchMessages(tenant, channel, runtime.settings.sweepLimit),
        ),
      ).catch((error: unknown) => {
        runtime.report("matching messages after a commit", error);
        return [];
      });
      return [...due, ...matched.flat()];
    },
    bytesOf: ({ entryBytes, output }) => entryBytes + (output === null ? 0 : bytesOf(output)),
    after: async (decisions) => {
      if (decisions.some(hasEvents)) await askForDelivery(runtime);
    },
    refused(decision, cause) {
      if (decision.status === "dead" && decision.entries.length === 0) return null;
      return decideRefused(decision, refusal(cause));
    },
  };
}

/** How outcomes of branches are delivered. One that Postgres will never accept makes its run dead. */
export function branchCommit(runtime: Runtime): Commit<BranchOutcome> {
  return {
    what: "branches",
    write: (outcomes) => runtime.store.commitBranches(outcomes),
    bytesOf: ({ output }) => (output === null ? 0 : bytesOf(output)),
    refused(outcome, cause) {
      if (outcome.outcome === "dead") return null;
      return {
        ...outcome,
        outcome: "dead",
        output: null,
        failure: toFailure(refusal(cause)),
        retryInMs: null,
      };
    },
  };
}

function hasEvents(decision: Decision): boolean {
  return decision.effects.some((effect) => effect.kind === "emit");
}

function refusal(cause: unknown): Error {
  return new Error("The database refuses what this turn decided.", { cause });
}
