/** The constraints of the tables, and that the indexes of this store say what its rows say. */
import type { Entry } from "../../../src/engine/journal.ts";
import { isFinal } from "../../../src/engine/run.ts";
import { nameOfDelivery } from "./deliver.ts";
import type { BranchRow, EventRow, RunRow, State, StoredRun, Tables, TenantTables } from "./tables.ts";

/** What does not hold, by its name. */
type Broken = readonly (readonly [name: string, holds: boolean])[];

export function violations({ tables }: State): string[] {
  const found: string[] = [];
  for (const tenant of tables.tenants.values()) {
    for (const run of tenant.runs.values()) {
      const name = `run ${run.row.id}`;
      for (const broken of brokenIn(tables, tenant, run)) found.push(`${name}: ${broken}`);
    }
    found.push(...brokenChannels(tenant), ...brokenIndexes(tenant));
  }
  for (const event of tables.outbox.values()) found.push(...brokenSends(event));
  return found;
}

function brokenIn(tables: Tables, tenant: TenantTables, run: StoredRun): string[] {
  return [
    ...named(ofRun(run.row)),
    ...brokenJournal(run),
    ...[...run.branches.values()].flatMap((branch) => named(ofBranch(branch))),
    ...named(ofHangings(tables, tenant, run)),
  ];
}

function named(checks: Broken): string[] {
  return checks.flatMap(([name, holds]) => (holds ? [] : [name]));
}

function ofRun(row: RunRow): Broken {
  const { status } = row;
  const isDeadLetter = status === "failed" || status === "dead";
  return [
    ["leased_iff_running", (row.leaseExpiresAt !== null) === (status === "running")],
    ["due_only_when_parked", row.wakeAt === null || status === "ready" || status === "waiting"],
    ["ready_is_due", status !== "ready" || row.wakeAt !== null],
    ["paused_is_held", status !== "paused" || row.pausedAt !== null],
    ["finished_iff_final", (row.finishedAt !== null) === isFinal(status)],
    ["failure_iff_dead_letter", (row.failure !== null) === isDeadLetter],
    ["only_dead_letters_are_discarded", row.discardedAt === null || isDeadLetter],
    ["output_only_when_completed", row.output === null || status === "completed"],
    ["verdict_iff_compensating", (row.verdict !== null) === (row.phase === "compensating")],
    ["awaited_has_a_parent", row.parentKey === null || row.parentId !== null],
  ];
}

function brokenJournal({ journal }: StoredRun): string[] {
  const attempts = new Set<string>();
  const completed = new Set<string>();
  return journal.flatMap(({ entry }, i) => {
    const { key, attempt, outcome } = entry;
    const tried = JSON.stringify([key, attempt]);
    const isTwice = key !== null && attempts.has(tried);
    const isDoneTwice = key !== null && outcome === "completed" && completed.has(key);
    if (key !== null) attempts.add(tried);
    if (key !== null && outcome === "completed") completed.add(key);
    const follows = i === 0 || entry.seq > (journal[i - 1]?.entry.seq ?? 0);
    const checks: Broken = [
      ["journal_pkey", follows],
      ["once_per_attempt", !isTwice],
      ["journal_completed_once", !isDoneTwice],
      ...ofEntry(entry),
    ];
    return named(checks).map((name) => `entry ${entry.seq}: ${name}`);
  });
}

function ofEntry({ key, kind, outcome, failure, retryAt, output }: Entry): Broken {
  const isSettledWell = outcome === "completed" || outcome === "timed_out";
  return [
    ["keyed_unless_revival", (key === null) === (kind === "revival")],
    ["failure_iff_not_settled_well", (failure === null) === isSettledWell],
    ["retry_iff_retrying", (retryAt !== null) === (outcome === "retrying")],
    ["output_only_when_completed", output === null || outcome === "completed"],
  ];
}

function ofBranch({ key, wakeAt, leaseExpiresAt }: BranchRow): Broken {
  return [[`branch_is_due_or_leased: ${key}`, (wakeAt === null) !== (leaseExpiresAt === null)]];
}

/** What hangs on a run is known where it is looked for. */
function ofHangings({ hooks }: Tables, tenant: TenantTables, run: StoredRun): Broken {
  const { id, workflow, idempotencyKey, parentId, parentKey } = run.row;
  const arrived = [...run.inbox.values(), ...run.taken.values()].map(({ delivery }) => delivery);
  const senders = arrived.flatMap(({ kind, name, sender }) =>
    sender === null ? [] : [nameOfDelivery(kind, name, sender)],
  );
  const keyed = idempotencyKey === null ? run : tenant.runsByKey.get(workflow)?.get(idempotencyKey);
  const awaited = parentKey === null || tenant.children.get(parentId ?? "")?.includes(run) === true;
  const uses = run.journal.filter(({ entry }) => entry.key !== null).length;
  const known = [...run.keys.values()].reduce((sum, { attempts }) => sum + attempts.length, 0);
  return [
    ["runs_by_idempotency_key", keyed === run],
    ["runs_by_parent", awaited],
    ["deliveries_once", new Set(senders).size === senders.length],
    ["the senders of its deliveries are known", senders.length === run.senders.size],
    ["the keys of its journal are known", uses === known],
    ["hooks_by_digest", [...run.hooks.values()].every((hook) => hooks.get(hook.digest) === hook)],
    ["its channels list it", [...run.channels].every((name) => isSubscribed(tenant, name, id))],
    ["its groups list it", [...run.groups].every((name) => tenant.groups.get(name)?.has(id) === true)],
    ["its messages are its own", [...run.brought.values()].every(({ claimedBy }) => claimedBy === id)],
    ["who waits for a message is found by its channel", areReceiversKnown(tenant, run)],
  ];
}

function isSubscribed({ channels }: TenantTables, name: string, id: string): boolean {
  return channels.get(name)?.subscriptions.has(id) === true;
}

function areReceiversKnown({ receivers }: TenantTables, run: StoredRun): boolean {
  return [...run.waits.values()].every(
    ({ wait, name }) => wait.kind !== "message" || receivers.get(name)?.has(run) === true,
  );
}

function brokenChannels({ channels, runs }: TenantTables): string[] {
  return [...channels.values()].flatMap(({ name, mode, subscriptions, messages, byDedupeId }) => {
    const claimed = [...messages.values()].filter(({ claimedBy }) => claimedBy !== null && claimedBy !== "");
    const checks: Broken = [
      ["messages_once", byDedupeId.size === messages.size],
      ["who listens says how", subscriptions.size === 0 || mode !== null],
      [
        "subscriptions_by_run",
        [...subscriptions.keys()].every((id) => runs.get(id)?.channels.has(name) === true),
      ],
      [
        "whoever was brought a message knows it",
        claimed.every(({ id, claimedBy }) => runs.get(claimedBy ?? "")?.brought.has(id) === true),
      ],
      ["a broadcast is everybody's", mode !== "broadcast" || claimed.length === 0],
    ];
    return named(checks).map((broken) => `channel ${name}: ${broken}`);
  });
}

/** Nothing is listed that is not there. */
function brokenIndexes({ receivers, groups, runs }: TenantTables): string[] {
  const checks: [string, boolean][] = [];
  for (const [name, waiting] of receivers) {
    const holds = [...waiting].every(({ waits }) =>
      [...waits.values()].some((one) => one.wait.kind === "message" && one.name === name),
    );
    checks.push([`channel ${name}: waits_by_name`, holds]);
  }
  for (const [name, members] of groups) {
    const holds = [...members.keys()].every((id) => runs.get(id)?.groups.has(name) === true);
    checks.push([`group ${name}: run_groups_by_run`, holds]);
  }
  return named(checks);
}

function brokenSends({ id, sends }: EventRow): string[] {
  return [...sends].flatMap(([sink, { status, nextAt, sentAt }]) => {
    const checks: Broken = [
      ["due_iff_pending", (nextAt !== null) === (status === "pending")],
      ["sent_iff_sent", (sentAt !== null) === (status === "sent")],
    ];
    return named(checks).map((name) => `event ${id} to ${sink}: ${name}`);
  });
}
