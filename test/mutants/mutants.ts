/**
 * The ways in which the code could break its invariants, each as a replacement in one file, with the tests that must then
 * fail. A mutant is switched on by its name in `PAWL_MUTANT`; the worker's bundle knows nothing of them.
 */
export interface Mutant {
  /** The invariant of ARCHITECTURE.md section 6 that it breaks. */
  readonly invariant: `I${number}`;
  readonly name: string;
  /** What is wrong with it. */
  readonly breaks: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /** Test files of which one must fail. */
  readonly caughtBy: readonly string[];
  /** Of these files only the tests whose names fit: what takes long need not run whole. */
  readonly named?: string;
  /** True where the simulation must catch it: what it breaks is not in SQL, or is in the model of it. */
  readonly simulated?: boolean;
}

const SUITE = "test/storage/postgres.test.ts";

export const MUTANTS: readonly Mutant[] = [
  {
    invariant: "I1",
    name: "journal-swallows-doubles",
    breaks: "a second entry for one key and attempt vanishes instead of refusing its commit",
    file: "src/storage/commit-turns.ts",
    find: `* interval '1 ms' as at) ended
),`,
    replace: `* interval '1 ms' as at) ended
  on conflict do nothing
),`,
    caughtBy: [SUITE],
    named: "I1:",
  },
  {
    invariant: "I2",
    name: "commit-without-fence",
    breaks: "a turn that has moved on still writes",
    file: "src/storage/commit-turns.ts",
    find: `join pawl.runs r on r.tenant = d.tenant and r.id = d."runId"
  where r.turn = d.turn and r.lease_expires_at is not null
  order by`,
    replace: `join pawl.runs r on r.tenant = d.tenant and r.id = d."runId"
  where r.lease_expires_at is not null
  order by`,
    caughtBy: [SUITE],
    named: "I2:",
  },
  {
    invariant: "I2",
    name: "renew-without-fence",
    breaks: "a zombie's renewal prolongs the lease of whoever holds the run now",
    file: "src/storage/renew-lease.ts",
    find: "and turn = $3 and",
    replace: "and turn >= $3 and",
    caughtBy: [SUITE],
    named: "renewLease",
  },
  {
    invariant: "I2",
    name: "branch-without-fence",
    breaks: "a branch that was lost and claimed again takes the outcome of its first holder",
    file: "src/storage/commit-branches.ts",
    find: `b.key = g.key and b.turn = g."branchTurn"
    and b.lease_expires_at is not null`,
    replace: `b.key = g.key
    and b.lease_expires_at is not null`,
    caughtBy: [SUITE],
    named: "commitBranches",
  },
  {
    invariant: "I2",
    name: "late-turn-performs",
    breaks: "a turn that begins after its lease has run out performs its step",
    file: "src/runtime/take-turn.ts",
    find: "if (runtime.clock.now() >= leaseUntil) return null;",
    replace: "",
    caughtBy: ["test/runtime/take-turn.test.ts"],
  },
  {
    invariant: "I3",
    name: "cancel-reopens",
    breaks: "a run that is over is cancelled",
    file: "src/storage/tree.ts",
    find: "('ready', 'running', 'waiting', 'paused')",
    replace: "('ready', 'running', 'waiting', 'paused', 'completed', 'failed')",
    caughtBy: [SUITE],
    named: "cancelRun",
  },
  {
    invariant: "I3",
    name: "revive-anything",
    breaks: "a revive opens a run that was completed or cancelled",
    file: "src/storage/revive-run.ts",
    find: "and (status = 'dead' or (status = 'failed' and phase = 'forward'))",
    replace: "and status <> 'running'",
    caughtBy: [SUITE],
    named: "reviveRun",
  },
  {
    invariant: "I4",
    name: "park-over-delivery",
    breaks: "a run parks although something was delivered during its turn",
    file: "src/storage/commit-turns.ts",
    find: "least(case when r.deliveries = d.deliveries then w.at else at.now end,",
    replace: "least(w.at,",
    caughtBy: [SUITE],
    named: "I4:",
  },
  {
    invariant: "I5",
    name: "signal-stays",
    breaks: "what a turn took from the inbox stays there and is taken again",
    file: "src/storage/commit-turns.ts",
    find: "  consumeDeliveries,\n  endWaits,",
    replace: "  endWaits,",
    caughtBy: [SUITE],
    named: "I5",
  },
  {
    invariant: "I5",
    name: "early-signal-forgotten",
    breaks: "a run parks for a signal that had come before",
    file: "src/storage/commit/waits.ts",
    find: "and d.kind = g.kind and d.consumed_by is null",
    replace: "and d.kind = g.kind and d.consumed_by is not null",
    caughtBy: [SUITE],
    named: "I5",
  },
  {
    invariant: "I6",
    name: "no-rest-between-outcomes",
    breaks: "replay hands over outcomes without letting the workflow come to rest between them",
    file: "src/engine/plan/replay.ts",
    find: "if (this.stirred || !this.isInsideMap(key)) await this.comeToRest();",
    replace: "",
    // With it most simulations never end.
    caughtBy: ["test/engine/replay-order.test.ts", "test/engine/schedules.test.ts"],
  },
  {
    invariant: "I6",
    name: "inbox-in-any-order",
    breaks: "what has arrived is journaled in another order than it arrived",
    file: "src/runtime/absorb.ts",
    find: "const [first] = this.candidates(edges).sort((a, b) => a.at - b.at);",
    replace: "const [first] = this.candidates(edges).reverse();",
    caughtBy: ["test/engine/waits.test.ts"],
    simulated: true,
  },
  {
    invariant: "I7",
    name: "mismatch-unnoticed",
    breaks: "code that asks for another kind of step than its journal has is given that result",
    file: "src/engine/plan/recorded.ts",
    find: "if (recorded === undefined || recorded === now) return null;",
    replace: "if (recorded !== null) return null;",
    caughtBy: ["test/engine/replay-mismatch.test.ts"],
  },
  {
    invariant: "I8",
    name: "suspension-thrown",
    breaks: "whoever waits is told by an exception that its turn is over",
    file: "src/engine/plan/replay.ts",
    find: 'return { state: "resting", edges: this.openEdges() };',
    replace:
      'const edges = this.openEdges(); for (const { reject } of this.pending.values()) reject(new Error("suspended")); return { state: "resting", edges };',
    caughtBy: ["test/engine/replay.test.ts"],
    simulated: true,
  },
  {
    invariant: "I9",
    name: "promise-depends-on-queue",
    breaks: "a start that is durable is answered with an error because its wake-up could not be sent",
    file: "src/runtime/start-runs.ts",
    find: '.catch((error: unknown) => runtime.report("sending wake-ups after a start", error));',
    replace: ";",
    caughtBy: ["test/runtime/start-runs.test.ts"],
  },
  {
    invariant: "I10",
    name: "body-under-lock",
    breaks: "the body of a transaction runs while its run is locked",
    file: "src/storage/transactions.ts",
    find: "await session.begin(isolation);",
    replace:
      "await session.begin(isolation); await session.query('select from pawl.runs where tenant = $1 and id = $2 for update', [branch.tenant, branch.runId]);",
    caughtBy: ["test/storage/transactions.test.ts"],
  },
  {
    invariant: "I11",
    name: "unordered-commit",
    breaks: "a commit locks its runs in descending order",
    file: "src/storage/commit-turns.ts",
    find: `  order by r.tenant, r.id
  for update of r
)\`;`,
    replace: `  order by r.tenant, r.id desc
  for update of r
)\`;`,
    caughtBy: ["test/storage/races.test.ts"],
    named: "I11",
  },
  {
    invariant: "I11",
    name: "unordered-locks",
    breaks: "a statement locks its runs in descending order",
    file: "src/storage/bump.ts",
    find: "order by r.tenant, r.id\nfor update of r`;",
    replace: "order by r.tenant, r.id desc\nfor update of r`;",
    caughtBy: ["test/storage/races.test.ts"],
    named: "I11",
  },
  {
    invariant: "I12",
    name: "losses-add-up",
    breaks: "lost turns are never forgiven, so a long run dies of many short lives",
    file: "src/storage/commit-turns.ts",
    find: "    lost_turns = 0,\n",
    replace: "",
    caughtBy: [SUITE],
    named: "reclaimLeases",
  },
  {
    invariant: "I12",
    name: "no-limit-to-losses",
    breaks: "a run that kills its worker every time is tried for ever",
    file: "src/storage/reclaim-leases.ts",
    find: "status = case when r.lost_turns + 1 >= $2 then 'dead'",
    replace: "status = case when r.lost_turns + 1 > $2 + 1000 then 'dead'",
    caughtBy: [SUITE],
    named: "I12",
  },
  {
    invariant: "I2",
    name: "model-commit-without-fence",
    breaks: "in the model, a turn that has moved on still writes",
    file: "test/model/memory/commit-turns.ts",
    find: "return row.turn === turn && row.leaseExpiresAt !== null;",
    replace: "return row.leaseExpiresAt !== null;",
    caughtBy: [],
    simulated: true,
  },
  {
    invariant: "I2",
    name: "model-cancel-without-fence",
    breaks: "in the model, whoever holds a run that is cancelled goes on to write",
    file: "test/model/memory/trees.ts",
    find: `    row.status = "cancelled";
    row.turn += 1;
    row.wakeAt = null;
    row.wakeUpSentAt = null;
    row.leaseExpiresAt = null;`,
    replace: `    row.status = "cancelled";
    row.wakeAt = null;
    row.wakeUpSentAt = null;`,
    caughtBy: [],
    simulated: true,
  },
  {
    invariant: "I4",
    name: "model-park-over-delivery",
    breaks: "in the model, a run parks although something was delivered during its turn",
    file: "test/model/memory/commit-turns.ts",
    find: "earlier(knowsAll ? earlier(span, wakeAt) : now,",
    replace: "earlier(earlier(span, wakeAt),",
    caughtBy: [],
    simulated: true,
  },
  {
    invariant: "I5",
    name: "model-signal-stays",
    breaks: "in the model, what a turn took from the inbox stays there and is taken again",
    file: "test/model/memory/commit/waits.ts",
    find: "for (const { id, key } of decision.consumed) consume(run, id, key);",
    replace: "void run; void decision; void consume;",
    caughtBy: [],
    simulated: true,
  },
  {
    invariant: "I5",
    name: "model-broadcast-skips",
    breaks: "in the model, a subscriber that is brought a message misses whatever else was published",
    file: "test/model/memory/match-messages.ts",
    find: "subscription.cursor = message.id;",
    replace: "subscription.cursor = newestOf(channel);",
    caughtBy: [],
    simulated: true,
  },
  {
    invariant: "I5",
    name: "model-job-for-two",
    breaks: "in the model, a message of a competing channel that one run was brought is brought to another",
    file: "test/model/memory/match-messages.ts",
    find: "message.claimedBy = run.row.id;",
    replace: "",
    caughtBy: [],
    simulated: true,
  },
  {
    invariant: "I5",
    name: "model-hook-twice",
    breaks: "in the model, a hook is answered as often as somebody posts to it",
    file: "test/model/memory/arrivals.ts",
    find: 'if (hook.usedAt !== null) return { result: "used", due: [] };',
    replace: "",
    caughtBy: [],
    simulated: true,
  },
  {
    invariant: "I6",
    name: "graph-goes-early",
    breaks: "a step of a graph goes before the last of its dependencies has ended",
    file: "src/engine/plan/graph.ts",
    find: "return left === 0 && dependent !== undefined ? [dependent] : [];",
    replace: "return left <= 1 && dependent !== undefined ? [dependent] : [];",
    caughtBy: ["test/engine/graph.test.ts"],
    simulated: true,
  },
  {
    invariant: "I9",
    name: "no-sweep-of-wake-ups",
    breaks: "a wake-up that was lost is never sent again",
    file: "src/cron/tick.ts",
    find: '  "wake due runs": wakeDueRuns,\n',
    replace: "",
    caughtBy: [],
    simulated: true,
  },
  {
    invariant: "I12",
    name: "no-sweep-of-leases",
    breaks: "a turn that was lost is never taken back",
    file: "src/cron/tick.ts",
    find: '  "reclaim leases": reclaimLeases,\n',
    replace: "",
    caughtBy: [],
    simulated: true,
  },
  {
    invariant: "I12",
    name: "no-sweep-of-branches",
    breaks: "a branch that was lost is never taken back",
    file: "src/cron/tick.ts",
    find: '  "reclaim branches": reclaimBranches,\n',
    replace: "",
    caughtBy: [],
    simulated: true,
  },
  {
    invariant: "I6",
    name: "undo-in-order",
    breaks: "what was done first is undone first",
    file: "src/engine/plan/compensation.ts",
    find: "undoable.findLast(",
    replace: "undoable.find(",
    caughtBy: ["test/runtime/compensation.test.ts"],
    simulated: true,
  },
];
