/**
 * Which queue carries which wake-up.
 *
 * A run's wake-ups go to one queue, chosen by its id. Its branches follow it in groups of what a batch holds: each group
 * shares a claim and a commit, and many branches still have all queues for itself.
 */
import type { DueRun } from "../engine/ports.ts";

/** As many branches as a consumer is handed at once: `max_batch_size` in wrangler.toml. */
const GROUP = 30;

/** For each of these the index of its queue, of so many. */
export function chooseQueues(due: readonly Pick<DueRun, "runId" | "branch">[], queues: number): number[] {
  const branches = new Map<string, number>();
  return due.map(({ runId, branch }) => {
    if (branch === undefined) return hash(runId) % queues;
    const before = branches.get(runId) ?? 0;
    branches.set(runId, before + 1);
    return (hash(runId) + Math.floor(before / GROUP)) % queues;
  });
}

/** FNV-1a, 32 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */
function hash(text: string): number {
  let sum = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193);
  return sum >>> 0;
}
