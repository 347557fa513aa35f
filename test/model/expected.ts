/** Everything that must have come by when the fixed seeds are over, and nothing else may. */
import type { Store, Transactions } from "../../src/engine/ports.ts";
import type { Reads } from "../../src/engine/reads.ts";
import type { Told } from "./answers.ts";

export interface Ports {
  readonly store: Store;
  readonly reads: Reads;
  readonly transactions: Transactions;
}

/** For every answer that the type of a verb allows: true where the verb gives it, false where it never does. */
type Answers<Port> = {
  readonly [Verb in keyof Port]: Port[Verb] extends (...args: never) => Promise<infer Answer>
    ? Readonly<Record<Told<Answer>, boolean>>
    : never;
};

const SOME = { something: true, nothing: true } as const;
const SOME_OR_NULL = { ...SOME, null: true } as const;
const FOUND = { something: true, null: true } as const;
const HELD = { true: true, false: true } as const;
const DONE = { done: true } as const;
const STARTED = { created: true, found: true } as const;
/** Of runs that are not over, and of those that are. */
const LIVE = { ready: true, running: true, waiting: true, paused: true } as const;
const NEVER_LIVE = { ready: false, running: false, waiting: false, paused: false } as const;
const OVER = { completed: true, cancelled: true, failed: true, dead: true } as const;

export const ANSWERS: { readonly [Port in keyof Ports]: Answers<Ports[Port]> } = {
  store: {
    startRuns: { ...STARTED, nothing: false },
    claimRuns: SOME,
    readJournal: FOUND,
    readDelivery: FOUND,
    claimSuspect: SOME,
    commitTurns: SOME,
    renewLease: HELD,
    claimBranches: SOME,
    claimSuspectBranch: SOME,
    startBranch: HELD,
    renewBranch: HELD,
    commitBranches: SOME,
    cancelRun: { moved: true, unchanged: true, not_found: true, ...NEVER_LIVE, ...OVER, cancelled: false },
    pauseRun: { moved: true, unchanged: true, not_found: true, ...NEVER_LIVE, ...OVER },
    resumeRun: { moved: true, unchanged: false, not_found: true, ...LIVE, ...OVER, paused: false },
    reviveRun: { revived: true, undone: true, not_found: true, ...LIVE, ...OVER, failed: false, dead: false },
    discardRun: { discarded: true, not_found: true, ...LIVE, ...OVER, failed: false, dead: false },
    deliverSignals: { accepted: true, not_found: true, ...NEVER_LIVE, ...OVER, dead: false },
    appendSteps: {
      ...{ appended: true, outdated: true, gate_open: true, compensating: true, not_found: true },
      ...{ ...NEVER_LIVE, ...OVER, dead: false },
    },
    mutations: SOME,
    deliverWord: HELD,
    subscribe: DONE,
    unsubscribe: DONE,
    publish: DONE,
    matchMessages: SOME,
    signalGroup: SOME,
    receiveHook: { received: true, used: true, expired: true, not_found: true },
    deleteOldMessages: SOME,
    forkRun: { ...STARTED, null: true },
    reclaimLeases: SOME,
    reclaimBranches: SOME,
    collectDueRuns: SOME,
    collectDueBranches: SOME,
    routeEvents: SOME,
    claimSends: SOME,
    settleSends: DONE,
    redeliverEvent: { redelivered: true, not_dead: true, not_found: true },
    forgetEvents: SOME,
    nextDue: SOME_OR_NULL,
    recordTick: SOME,
    recordIdle: DONE,
  },
  reads: {
    run: FOUND,
    runs: SOME,
    deadLetters: SOME,
    // It would take 5,000 runs.
    searchEnd: { something: false, null: true },
    journal: SOME_OR_NULL,
    underWay: { something: true },
    state: SOME_OR_NULL,
    forkSource: FOUND,
    events: SOME,
    event: FOUND,
    channels: SOME,
    groupMembers: SOME,
    health: { something: true },
  },
  transactions: { run: HELD },
};

/** Every verb of the ports with every answer that it gives, as `Coverage` writes them. */
export function expectedAnswers(ports: Ports): string[] {
  return Object.entries(ports).flatMap(([port, verbs]) =>
    Object.keys(verbs).flatMap((verb) => wordsOf(port, verb).map((word) => `${port}.${verb}: ${word}`)),
  );
}

function wordsOf(port: string, verb: string): string[] {
  const answers = ANSWERS[port as keyof Ports] as Readonly<Record<string, Readonly<Record<string, boolean>>>>;
  const given = Object.entries(answers[verb] ?? { "an answer": true });
  return given.filter(([, isGiven]) => isGiven).map(([word]) => word);
}

const GOES_ON = ["ready", "waiting", "paused"] as const;
const ENDS = ["completed", "failed", "dead", "cancelled"] as const;

/** How a run's status may change in one transaction: the table of ARCHITECTURE.md section 4. */
export const RUN_WAYS: Readonly<Record<string, readonly string[]>> = {
  none: ["ready", "paused"],
  ready: ["running", "paused", "cancelled", "ready, compensating"],
  running: [...GOES_ON, ...ENDS, "ready, compensating", "waiting, compensating", "paused, compensating"],
  waiting: ["running", "paused", "cancelled", "ready, compensating"],
  paused: ["ready", "cancelled", "ready, compensating"],
  failed: ["ready"],
  dead: ["ready", "ready, compensating"],
  "ready, compensating": ["running, compensating", "paused, compensating", "cancelled"],
  "running, compensating": [
    ...GOES_ON.map((status) => `${status}, compensating`),
    ...ENDS.filter((status) => status !== "completed"),
  ],
  "waiting, compensating": ["running, compensating", "paused, compensating", "cancelled"],
  "paused, compensating": ["ready, compensating", "cancelled"],
};

/** The same of a branch; `started` is said of an at-most-once body. */
export const BRANCH_WAYS: Readonly<Record<string, readonly string[]>> = {
  none: ["due"],
  due: ["leased", "none"],
  leased: ["due", "leased, started", "none"],
  "leased, started": ["none", "due, started"],
  "due, started": ["leased, started", "none"],
};

export function waysIn(ways: Readonly<Record<string, readonly string[]>>): string[] {
  return Object.entries(ways).flatMap(([from, to]) => to.map((state) => `${from} → ${state}`));
}
