/**
 * `step.transaction`: what the user's statements write, what the run is told and what goes into the outbox commit together
 * or not at all. Over a WebSocket of its own, because HTTP holds no transaction open; it ends with the call, as
 * connections cannot outlive their invocation.
 *
 * I2: the last statement before the commit deletes the branch's row in its very turn. Of a branch whose lease was lost
 * nothing is there to delete, and everything is rolled back.
 * I10: the one exception. The body runs while rows are locked, those that it has locked itself: it speaks to its
 * transaction only, no statement and no pause of it may take longer than 15 s, and no row of Pawl's is locked before
 * the body is over.
 * I11: the run is locked before its branch.
 */

import { StoreUnavailable } from "../engine/errors.ts";
import type { Transactions } from "../engine/ports.ts";
import type { ClaimedBranch } from "../engine/run.ts";
import type { Db } from "./db.ts";
import { isConflict, isLost, TransactionAborted } from "./transactions/errors.ts";
import { Session } from "./transactions/session.ts";
import { tellRun } from "./transactions/tell-run.ts";

/**
 * How often the body is done again in one attempt of the step: because Postgres gave way to somebody else, or the
 * connection broke before the commit. Nothing of it was kept then, and it was not the body's fault.
 */
const AGAIN = 5;
const FIRST_WAIT_MS = 20;

/** How often it is asked whether a commit took effect. */
const QUESTIONS = 4;

type Sleep = (ms: number, signal?: AbortSignal) => Promise<void>;

type Once = "committed" | "lease lost" | "rolled back";

/** `db` answers whether a commit took effect whose answer was lost. */
export function createTransactions(
  url: string,
  local: string | undefined,
  db: Db,
  sleep: Sleep,
): Transactions {
  return {
    async run(branch, isolation, signal, work) {
      for (let tries = 0; ; tries++) {
        try {
          const result = await once(branch, isolation, signal, work);
          if (result !== "rolled back") return result === "committed";
          if (tries >= AGAIN) throw new StoreUnavailable(new Error("The connection broke at every commit."));
        } catch (error) {
          if (signal.aborted || tries >= AGAIN || !(isConflict(error) || isLost(error))) throw error;
        }
        await sleep(FIRST_WAIT_MS * 2 ** tries * (0.5 + Math.random()), signal);
        signal.throwIfAborted();
      }
    },
  };

  async function once(...[branch, isolation, signal, work]: Parameters<Transactions["run"]>): Promise<Once> {
    const session = new Session(url, local, signal);
    try {
      await session.begin(isolation);
      const given = await session.lend(work);
      if (!(await tellRun(session, branch, given))) return "lease lost";
      let tag: string;
      try {
        tag = await session.commit();
      } catch (error) {
        if (!isLost(error)) throw error;
        // Its connection would keep the rows that the question waits for.
        session.close();
        return await askWhatBecame(branch, error);
      }
      // Postgres answers the commit of a transaction that it has given up with success, and this tag.
      if (tag !== "COMMIT") throw new TransactionAborted(branch.key, session.lastError);
      return "committed";
    } finally {
      session.close();
    }
  }

  /**
   * The branch's row is gone if the commit took effect. To ask for its lock is to wait for whoever still has it: the
   * transaction itself, when its connection broke and its commit is still on the way.
   */
  async function askWhatBecame(
    { tenant, runId, key, branchTurn }: ClaimedBranch,
    cause: unknown,
  ): Promise<Once> {
    for (let asked = 1; ; asked++) {
      try {
        const [rows = []] = await db.execute([{ text: FIND, params: [tenant, runId, key] }]);
        const [row] = rows as { turn?: number }[];
        if (row === undefined) return "committed";
        return row.turn === branchTurn ? "rolled back" : "lease lost";
      } catch {
        if (asked === QUESTIONS) throw new StoreUnavailable(cause);
        await sleep(FIRST_WAIT_MS * 10 ** asked);
      }
    }
  }
}

const FIND = "select turn from pawl.branches where tenant = $1 and run_id = $2 and key = $3 for update";
