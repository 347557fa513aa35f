/** The hot statements: what every turn, every tick and every page of a list asks of the database. */
import { encode } from "../../src/engine/codec.ts";
import type { Overview } from "../../src/engine/overview.ts";
import type { RunFilter } from "../../src/engine/reads.ts";
import type { ClaimedRun, RunRef } from "../../src/engine/run.ts";
import type { Db } from "../../src/storage/db.ts";
import { createOverview } from "../../src/storage/overview.ts";
import { createReads } from "../../src/storage/reads.ts";
import { createStore } from "../../src/storage/store.ts";
import { decision, entry, newRun } from "../../test/storage/support/builders.ts";
import type { Workload } from "./measure.ts";

const TENANT = "default";
const BATCH = 30;
const SHARE = 1_000;
const PAGE = 26;
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

async function refs(db: Db, from: string): Promise<RunRef[]> {
  const [rows = []] = await db.execute([{ text: `select id from ${from} limit ${BATCH}`, params: [] }]);
  return rows.map(({ id }) => ({ tenant: TENANT, runId: String(id) }));
}

/** Sleepers from the middle of the month, changed by `set`. */
async function change(db: Db, set: string): Promise<RunRef[]> {
  const sleepers = await refs(
    db,
    `(select id from pawl.runs where tenant = '${TENANT}' and status = 'waiting'
      and id > (select id from pawl.runs order by id offset (select count(*) / 2 from pawl.runs) limit 1)
      order by id) sleeper`,
  );
  await db.execute([
    {
      text: `update pawl.runs set ${set} where tenant = $1 and id = any($2)`,
      params: [TENANT, ids(sleepers)],
    },
  ]);
  return sleepers;
}

const ids = (runs: readonly RunRef[]) => runs.map(({ runId }) => runId);

const becomeDue = (db: Db) =>
  change(db, "status = 'ready', wake_at = pawl.clock() - interval '1 min', wake_up_sent_at = null");

const becomeLost = (db: Db) =>
  change(db, "status = 'running', wake_at = null, lease_expires_at = pawl.clock() - interval '1 s'");

const changeBranches = (set: string) => (db: Db) =>
  db.execute([
    {
      text: `update pawl.branches set ${set} where (tenant, run_id, key) in
        (select tenant, run_id, key from pawl.branches where turn = 1 limit ${BATCH})`,
      params: [],
    },
  ]);

const turns: readonly Workload[] = [
  {
    name: "start 30 runs",
    run: (db) =>
      createStore(db).startRuns(
        TENANT,
        Array.from({ length: BATCH }, (_, i) => newRun({ tags: ["tag 1"], idempotencyKey: `new ${i}` })),
      ),
  },
  {
    name: "claim 30 due runs",
    prepare: becomeDue,
    run: (db, due: readonly RunRef[]) => createStore(db).claimRuns(due, MINUTE),
  },
  {
    name: "commit 30 turns",
    prepare: async (db) => (await createStore(db).claimRuns(await becomeDue(db), MINUTE)).claimed,
    run: (db, claimed: readonly ClaimedRun[]) =>
      createStore(db).commitTurns(claimed.map((run) => decision(run, { entries: [entry(900_000)] }))),
  },
  {
    name: "commit 30 turns that complete their runs",
    prepare: async (db) => (await createStore(db).claimRuns(await becomeDue(db), MINUTE)).claimed,
    run: (db, claimed: readonly ClaimedRun[]) =>
      createStore(db).commitTurns(
        claimed.map((run) =>
          decision(run, { status: "completed", entries: [entry(900_000)], endedTimers: ["nap"] }),
        ),
      ),
  },
  {
    name: "signal 30 runs",
    prepare: (db) => refs(db, "(select run_id as id from pawl.waits where kind = 'signal') waiting"),
    run: (db, waiting: readonly RunRef[]) =>
      createStore(db).deliverSignals(
        TENANT,
        waiting.map(({ runId }) => ({ runId, name: "approved", payload: encode(1, "x"), id: "new" })),
      ),
  },
];

/** As if the last message on their channel were new to them. */
const fallBehind = (db: Db) =>
  db.execute([
    {
      text: `update pawl.subscriptions set cursor = cursor - 1
        where run_id in (select run_id from pawl.waits where kind = 'message' order by run_id limit ${BATCH})`,
      params: [],
    },
  ]);

const insertEvents = (db: Db) =>
  db.execute([
    {
      text: `insert into pawl.outbox (tenant, id, run_id, workflow, type, emitted_at)
        select $1, 'new ' || n, 'run ' || n, 'workflow 1', 'order.shipped', pawl.clock() from generate_series(1, ${BATCH}) n`,
      params: [TENANT],
    },
  ]);

const STRAY = "once a minute every wait for a message is looked up among the subscriptions";

const sweeps: readonly Workload[] = [
  ["reclaim leases", (db: Db) => createStore(db).reclaimLeases(SHARE, 8), becomeLost],
  [
    "reclaim branches",
    (db: Db) => createStore(db).reclaimBranches(SHARE, 8),
    changeBranches("wake_at = null, lease_expires_at = pawl.clock() - interval '1 s'"),
  ],
  ["wake due runs", (db: Db) => createStore(db).collectDueRuns(SHARE, MINUTE / 4, 2 * MINUTE), becomeDue],
  [
    "wake due branches",
    (db: Db) => createStore(db).collectDueBranches(SHARE, MINUTE / 4, 2 * MINUTE),
    changeBranches("wake_at = pawl.clock() - interval '1 min', wake_up_sent_at = null"),
  ],
  ["bring messages", (db: Db) => createStore(db).matchMessages(null, null, SHARE), fallBehind],
  [
    "forget messages",
    (db: Db) => createStore(db).deleteOldMessages(14 * DAY, SHARE),
    (db: Db) =>
      db.execute([
        {
          text: `update pawl.messages set published_at = now() - interval '15 days'
            where id in (select id from pawl.messages order by published_at limit ${BATCH})`,
          params: [],
        },
      ]),
  ],
  [
    "route events",
    (db: Db) => createStore(db).routeEvents([{ sink: "warehouse", types: ["order.*"] }], SHARE),
    insertEvents,
  ],
  [
    "claim sends",
    (db: Db) => createStore(db).claimSends("warehouse", BATCH, MINUTE),
    async (db: Db) => {
      await insertEvents(db);
      await createStore(db).routeEvents([{ sink: "warehouse", types: ["order.*"] }], SHARE);
    },
  ],
  [
    "forget events",
    (db: Db) => createStore(db).forgetEvents(SHARE, 7 * DAY),
    (db: Db) =>
      db.execute([
        {
          text: `update pawl.outbox set emitted_at = now() - interval '8 days'
            where seq in (select seq from pawl.outbox order by emitted_at limit ${BATCH})`,
          params: [],
        },
      ]),
  ],
].flatMap(([name, run, prepare]) => {
  const excused = name === "bring messages" ? { excused: STRAY } : {};
  return [
    { name: `${name}, nothing to do`, run, ...excused } as Workload,
    { name: `${name}, 30 to do`, run, prepare, ...excused } as Workload,
  ];
});

const RETENTION = { messageRetentionMs: 14 * DAY, eventRetentionMs: 7 * DAY };

const idle: readonly Workload[] = [
  { name: "what is due next", run: (db) => createStore(db).nextDue(["warehouse"], RETENTION) },
];

const list = (
  name: string,
  filter: RunFilter,
  before: string | null,
  more: Partial<Workload> = {},
): Workload => ({
  name: `list runs, ${name}`,
  run: (db) => createReads(db).runs(TENANT, filter, PAGE, before),
  ...more,
});

/** `middle` and `first` are ids of runs that were created in the middle and at the beginning of the month. */
const lists = (middle: string, parent: string, now: number): readonly Workload[] => [
  list("first page", {}, null),
  list("deep cursor", {}, middle),
  list("by workflow", { workflow: "workflow 3" }, null),
  list("by a workflow that has none", { workflow: "none" }, null),
  list("by tag", { tags: ["tag 7"] }, null),
  list("by a rare tag", { tags: ["rare"] }, null),
  list("by a tag that nothing has", { tags: ["none"] }, null),
  ...(["completed", "waiting", "failed", "dead", "cancelled"] as const).map((status) =>
    list(`status ${status}`, { statuses: [status] }, null),
  ),
  ...(["running", "paused"] as const).map((status) =>
    list(`status ${status}, which none has`, { statuses: [status] }, null),
  ),
  list("status ready, which none has", { statuses: ["ready"] }, null),
  list("status running, 30 old ones", { statuses: ["running"] }, null, { prepare: becomeLost }),
  list("status ready or running, 30 old ones", { statuses: ["ready", "running"] }, null, {
    prepare: becomeDue,
  }),
  list("live", { statuses: ["ready", "running", "waiting", "paused"] }, null),
  list("by workflow and status", { workflow: "workflow 3", statuses: ["paused"] }, null),
  list(
    "created in an hour of the middle",
    { createdAfter: now - 15 * DAY, createdBefore: now - 15 * DAY + DAY / 24 },
    null,
  ),
  list("created before the month", { createdBefore: now - 31 * DAY }, null),
  list("created in the last minute, none", { createdAfter: now + MINUTE }, null),
  list("by parent", { parent }, null),
  list("waiting for a person", { waitingFor: "person" }, null),
  list("waiting for a signal", { waitingFor: "signal" }, null),
  list("waiting for a child, none", { waitingFor: "child" }, null),
  list("by input, a recent run", { input: { path: ["customer"], value: "Ada Lovelace" } }, null),
  {
    name: "list runs, by input, none in its share",
    run: async (db) => {
      const filter = { input: { path: ["order"], value: "none" } };
      const oldest = (await createReads(db).searchEnd(TENANT, filter, null)) ?? "";
      return createReads(db).runs(TENANT, { ...filter, oldest }, PAGE, null);
    },
  },
];

const pages = (middle: string, long: string): readonly Workload[] => [
  { name: "dead letters, first page", run: (db) => createReads(db).deadLetters(TENANT, {}, PAGE, null) },
  { name: "dead letters, deep cursor", run: (db) => createReads(db).deadLetters(TENANT, {}, PAGE, middle) },
  {
    name: "dead letters of a workflow that has none",
    run: (db) => createReads(db).deadLetters(TENANT, { workflow: "none" }, PAGE, null),
  },
  { name: "a run", run: (db) => createReads(db).run({ tenant: TENANT, runId: middle }) },
  {
    name: "a run's waits and branches",
    run: (db) => createReads(db).underWay({ tenant: TENANT, runId: middle }),
  },
  { name: "a run's state", run: (db) => createReads(db).state({ tenant: TENANT, runId: middle }, null) },
  {
    name: "journal page, the first of 50,000 entries",
    run: (db) => createReads(db).journal({ tenant: TENANT, runId: long }, PAGE, 0),
  },
  {
    name: "journal page, the last of 50,000 entries",
    run: (db) => createReads(db).journal({ tenant: TENANT, runId: long }, PAGE, 49_980),
  },
  { name: "events, first page", run: (db) => createReads(db).events(TENANT, {}, PAGE, null) },
  {
    name: "events, pending, none",
    run: (db) => createReads(db).events(TENANT, { status: "pending" }, PAGE, null),
  },
  { name: "events, dead", run: (db) => createReads(db).events(TENANT, { status: "dead" }, PAGE, null) },
  {
    name: "channels",
    run: (db) => createReads(db).channels(TENANT, PAGE, ""),
    excused: "it counts up to 10,000 runs that wait on each channel",
  },
  { name: "members of a group", run: (db) => createReads(db).groupMembers(TENANT, "group 1", PAGE, "") },
  { name: "health", run: (db) => createReads(db).health() },
  {
    name: "stuck runs",
    run: (db) => db.execute([{ text: "select * from pawl.stuck_runs", params: [] }]),
    excused: "a check by hand over every run that is not over, and all that hangs on them",
  },
];

const BOUNDED = "a bounded look at up to ten or twenty thousand runs, for a person who looks at a page";

/** What the dashboard asks besides lists, each every few seconds while somebody looks. */
const overview = (middle: string): readonly Workload[] =>
  (
    [
      ["counts of all runs", (one) => one.countRuns(TENANT, {}), BOUNDED],
      ["counts of a workflow", (one) => one.countRuns(TENANT, { workflow: "workflow 3" }), BOUNDED],
      ["where the runs of a page stand", (one, ids) => one.standings(TENANT, ids)],
      ["a run's timeline", (one) => one.timeline({ tenant: TENANT, runId: middle }, 100, 0)],
      ["what is under way in a run", (one) => one.live({ tenant: TENANT, runId: middle })],
      ["dead letters by their error", (one) => one.deadLetterGroups(TENANT, {}), BOUNDED],
      ["workflows of a day", (one) => one.workflowStats(TENANT, DAY), BOUNDED],
      ["who waits", (one) => one.waits(TENANT, {}, PAGE, null), BOUNDED],
      ["what is awaited", (one) => one.awaitedNames(TENANT), BOUNDED],
      ["the machinery", (one) => one.system(TENANT), BOUNDED],
      ["metrics of a day", (one) => one.metrics(TENANT, DAY, DAY / 288, null), BOUNDED],
    ] as [string, (one: Overview, ids: string[]) => Promise<unknown>, string?][]
  ).map(([name, ask, excused]) => ({
    name: `dashboard, ${name}`,
    prepare: async (db) => ids(await createReads(db).runs(TENANT, {}, PAGE, middle)),
    run: (db, page: string[]) => ask(createOverview(db), page),
    ...(excused === undefined ? {} : { excused }),
  }));

/** Everything, for the database that `seed` filled. */
export async function workloads(db: Db): Promise<Workload[]> {
  const one = async (text: string) => {
    const [rows = []] = await db.execute([{ text, params: [] }]);
    return rows[0] as { id: string; now: number };
  };
  const half = "(select count(*) / 2 from pawl.runs)";
  const { id: middle } = await one(`select id from pawl.runs order by id offset ${half} limit 1`);
  const { id: long } = await one("select run_id as id from pawl.journal where key = 'long 1'");
  const { id: parent } = await one(
    "select parent_id as id from pawl.runs where parent_id is not null limit 1",
  );
  const { now } = await one("select pawl.ms(pawl.clock()) as now");
  return [
    ...turns,
    ...sweeps,
    ...idle,
    ...lists(middle, parent, now),
    ...pages(middle, long),
    ...overview(middle),
  ];
}
