/** What the store in memory holds, as rows of the tables of `migrations/`: the same columns, under the same names. */
import type { Encoded } from "../../src/engine/codec.ts";
import type { Row, Rows } from "../storage/support/bed.ts";
import type {
  ChannelRow,
  EventRow,
  HookRow,
  MessageRow,
  RunRow,
  StoredRun,
  Tables,
  TenantTables,
} from "./memory/tables.ts";

/** Every row of every table. */
export function rowsOfTables({ tenants, outbox, tick }: Tables): Rows {
  const runs = [...tenants.values()].flatMap((tenant) =>
    Array.from(tenant.runs.values(), (run) => rowsOfRun(tenant, run)),
  );
  const channels = [...tenants.values()].flatMap(({ name, channels }) =>
    Array.from(channels.values(), (channel) => rowsOfChannel(name, channel)),
  );
  const events = Array.from(outbox.values(), rowsOfEvent);
  const ticks = tick === null ? [] : [toColumns({ job: "sweep", ...tick })];
  return join([...runs, ...channels, ...events, { ticks }]);
}

/** What belongs to one run: its own row, and those that hang on it. */
export function rowsOfRun(tenant: TenantTables, run: StoredRun): Rows {
  const { id } = run.row;
  const its = (fields: object) => toColumns({ tenant: tenant.name, runId: id, ...fields });
  return {
    runs: [toColumns(columnsOf(run.row))],
    run_tags: Array.from(new Set(run.row.tags), (tag) => its({ tag })),
    journal: run.journal.map(({ entry: { output, ...entry }, ...rest }) =>
      its({ ...entry, ...rest, ...encoded("output", output) }),
    ),
    timers: Array.from(run.timers.values(), its),
    waits: Array.from(run.waits.values(), ({ wait, name }) => its({ ...wait, name })),
    deliveries: deliveriesOf(run).map(its),
    branches: Array.from(run.branches.values(), its),
    subscriptions: Array.from(run.channels, (channel) =>
      its({ channel, ...tenant.channels.get(channel)?.subscriptions.get(id) }),
    ),
    run_groups: Array.from(run.groups, (name) => its({ name, joinedAt: tenant.groups.get(name)?.get(id) })),
    hooks: Array.from(run.hooks.values(), (hook: HookRow) => its(hook)),
    run_state: Array.from(run.state, ([key, line]) => its({ key, ...line })),
    mutations: Array.from(run.mutations, ([mutationKey, line]) => its({ mutationKey, ...line })),
  };
}

function columnsOf({ input, output, ...row }: RunRow): object {
  return { ...row, ...encoded("input", input), ...encoded("output", output) };
}

/** In the order in which they arrived. */
function deliveriesOf({ inbox, taken }: StoredRun): object[] {
  const waiting = Array.from(inbox.values(), (row) => ({ ...row, consumedBy: null }));
  const gone = Array.from(taken.values(), (row) => ({ ...row, messageId: null }));
  return [...waiting, ...gone]
    .sort((a, b) => a.delivery.id - b.delivery.id)
    .map(({ delivery: { sender, payload, withheld: _, ...delivery }, messageId, consumedBy }) => ({
      ...delivery,
      ...encoded("payload", payload),
      dedupeId: sender,
      messageId,
      consumedBy,
    }));
}

function rowsOfChannel(tenant: string, { name, mode, messages }: ChannelRow): Rows {
  return {
    channels: [toColumns({ tenant, name, mode })],
    messages: Array.from(messages.values(), ({ payload, ...message }: MessageRow) =>
      toColumns({ tenant, channel: name, ...message, ...encoded("payload", payload) }),
    ),
  };
}

function rowsOfEvent({ sends, data, ...event }: EventRow): Rows {
  const { tenant, runId, seq } = event;
  return {
    outbox: [toColumns({ ...event, ...encoded("data", data) })],
    outbox_sends: Array.from(sends, ([sink, send]) => toColumns({ tenant, runId, sink, seq, ...send })),
  };
}

/** A value and what codes it stand in two columns. */
function encoded(name: string, value: Encoded | null): object {
  return { [name]: value?.json ?? null, [`${name}Meta`]: value?.meta ?? null };
}

/** `leaseExpiresAt: 0` is `lease_expires_at: new Date(0)`. */
function toColumns(fields: object): Row {
  const columns = Object.entries(fields).map(([name, value]) => {
    const column = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const isInstant = /(At|Until)$/.test(name) && typeof value === "number" && name !== "askedAt";
    return [column, isInstant ? new Date(value) : value];
  });
  return Object.fromEntries(columns);
}

function join(all: readonly Rows[]): Rows {
  const joined: Record<string, Row[]> = {};
  for (const rows of all) {
    for (const [table, lines] of Object.entries(rows)) {
      joined[table] ??= [];
      joined[table].push(...lines);
    }
  }
  return joined;
}
