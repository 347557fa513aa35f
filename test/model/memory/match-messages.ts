/**
 * Brings messages to the runs that wait for them. It goes by what there is, not by who waits: of many who wait on a
 * channel, few can be brought anything. A wait whose time is over is brought nothing.
 */
import type { Encoded } from "../../../src/engine/codec.ts";
import { toFailure } from "../../../src/engine/failure.ts";
import type { DueRun } from "../../../src/engine/ports.ts";
import { NotSubscribed } from "../../../src/engine/refusals.ts";
import { newestOf } from "./channels.ts";
import { type Arrivals, arrive, bump, insertDelivery } from "./deliver.ts";
import type {
  ChannelRow,
  MessageRow,
  State,
  StoredRun,
  SubscriptionRow,
  TenantTables,
  WaitRow,
} from "./tables.ts";
import { compareText, dueNow, isLive } from "./values.ts";

/** A wait for a message that nothing was brought to yet, of a run that can take one. */
interface OpenWait {
  readonly tenant: TenantTables;
  readonly run: StoredRun;
  readonly row: WaitRow;
  readonly channel: ChannelRow | undefined;
  /** Undefined of a run that does not listen to the channel. */
  readonly subscription: SubscriptionRow | undefined;
}

/** Who has unsubscribed while it waited is found by the sweep. */
const JUST_BEGUN_MS = 60_000;

const { stack: _, ...NOT_SUBSCRIBED } = toFailure(new NotSubscribed());

/** On one channel of a tenant, on all of them, or everywhere. */
export function matchMessages(
  state: State,
  tenantName: string | null,
  channel: string | null,
  limit: number,
): DueRun[] {
  const { tenants } = state.tables;
  const named = tenantName === null ? undefined : tenants.get(tenantName);
  const asked = tenantName === null ? [...tenants.values()] : named === undefined ? [] : [named];
  const waits = asked.flatMap((tenant) => openWaits(state, tenant, channel));
  const chosen = choose(state, waits, channel !== null, limit);
  if (chosen.size === 0) return [];
  const theirs = [...chosen].flatMap(([run, tenant]) => openWaitsOf(state, tenant, run));
  return bring(state, theirs.sort(byPlace)).map(dueNow);
}

function openWaits(state: State, tenant: TenantTables, channel: string | null): OpenWait[] {
  const names = channel === null ? [...tenant.receivers.keys()] : [channel];
  return names.flatMap((name) =>
    [...(tenant.receivers.get(name) ?? [])].flatMap((run) =>
      openWaitsOf(state, tenant, run).filter(({ row }) => row.name === name),
    ),
  );
}

function openWaitsOf({ now }: State, tenant: TenantTables, run: StoredRun): OpenWait[] {
  if (!isLive(run.row.status) || run.row.phase !== "forward") return [];
  const answered = new Set<string>();
  for (const { delivery } of run.inbox.values()) if (delivery.kind === "message") answered.add(delivery.name);
  const open: OpenWait[] = [];
  for (const row of run.waits.values()) {
    const { kind, key, dueAt } = row.wait;
    if (kind !== "message" || answered.has(key) || (dueAt !== null && dueAt <= now)) continue;
    const channel = tenant.channels.get(row.name);
    open.push({ tenant, run, row, channel, subscription: channel?.subscriptions.get(run.row.id) });
  }
  return open;
}

/** The longest-waiting runs that there is something for, with their tenants. */
function choose(
  { now }: State,
  waits: readonly OpenWait[],
  isOneChannel: boolean,
  limit: number,
): Map<StoredRun, TenantTables> {
  const places = new Map<ChannelRow, number>();
  const chosen = new Map<StoredRun, TenantTables>();
  for (const wait of waits.toSorted(byBeginning)) {
    if (chosen.size === limit) break;
    if (isAwaited(wait, now, isOneChannel, places)) chosen.set(wait.run, wait.tenant);
  }
  return chosen;
}

/** There is something for the wait; `places` counts those who share what is on a competing channel. */
function isAwaited(
  { run, row, channel, subscription }: OpenWait,
  now: number,
  isOneChannel: boolean,
  places: Map<ChannelRow, number>,
): boolean {
  if (channel === undefined || subscription === undefined) {
    return !isOneChannel || row.wait.begunAt > now - JUST_BEGUN_MS;
  }
  if (channel.mode === "broadcast") return subscription.cursor < newestOf(channel);
  if (channel.mode === "direct") return firstFree(channel, ({ toRun }) => toRun === run.row.id) !== undefined;
  const place = places.get(channel) ?? 0;
  places.set(channel, place + 1);
  return nthFree(channel, place) !== undefined;
}

/** What is brought to a wait; null tells it that it listens to nothing. */
interface Brought {
  readonly wait: OpenWait;
  readonly message: MessageRow | null;
}

function bring(state: State, waits: readonly OpenWait[]): StoredRun[] {
  const brought = waits.flatMap((wait): Brought[] => {
    if (wait.channel === undefined || wait.subscription === undefined) return [{ wait, message: null }];
    const message = take(wait.run, wait.channel, wait.subscription);
    return message === undefined ? [] : [{ wait, message }];
  });
  const arrivals: Arrivals = new Map();
  for (const { wait, message } of brought) {
    const name = wait.row.wait.key;
    const told: { payload: Encoded } | { failure: typeof NOT_SUBSCRIBED } =
      message === null ? { failure: NOT_SUBSCRIBED } : { payload: message.payload };
    const outcome = message === null ? "failed" : "completed";
    insertDelivery(state, wait.run, { kind: "message", name, outcome, ...told }, message?.id ?? null);
    arrive(arrivals, wait.run);
  }
  return bump(state, arrivals);
}

/** The next message for the run: it is the run's from now on, or the cursor passes it. */
function take(run: StoredRun, channel: ChannelRow, subscription: SubscriptionRow): MessageRow | undefined {
  if (channel.mode === "broadcast") {
    for (const message of channel.messages.values()) {
      if (message.id <= subscription.cursor) continue;
      subscription.cursor = message.id;
      return message;
    }
    return undefined;
  }
  const isFor = ({ toRun }: MessageRow) => channel.mode !== "direct" || toRun === run.row.id;
  const message = firstFree(channel, isFor);
  if (message === undefined) return undefined;
  message.claimedBy = run.row.id;
  run.brought.set(message.id, message);
  return message;
}

function firstFree(
  { messages }: ChannelRow,
  isFor: (message: MessageRow) => boolean,
): MessageRow | undefined {
  for (const message of messages.values()) if (message.claimedBy === null && isFor(message)) return message;
  return undefined;
}

function nthFree(channel: ChannelRow, n: number): MessageRow | undefined {
  let before = 0;
  return firstFree(channel, () => before++ === n);
}

function byBeginning(a: OpenWait, b: OpenWait): number {
  return a.row.wait.begunAt - b.row.wait.begunAt || compareText(a.run.row.id, b.run.row.id);
}

/** The place in the queue of a channel, and among the waits of one run: `receive#2` comes before `receive#10`. */
function byPlace(a: OpenWait, b: OpenWait): number {
  const [one, other] = [a.row.wait.key, b.row.wait.key];
  return byBeginning(a, b) || one.length - other.length || compareText(one, other);
}
