/** Channels: who listens, what is published, what is forgotten. */
import type { NewMessage } from "../../../src/engine/ports.ts";
import { ChannelModeConflict } from "../../../src/engine/refusals.ts";
import type { RunRef } from "../../../src/engine/run.ts";
import type { ChannelMode } from "../../../src/engine/workflow.ts";
import { leaveChannel } from "./runs.ts";
import {
  type ChannelRow,
  findRun,
  type MessageRow,
  type State,
  type TenantTables,
  tenantOf,
} from "./tables.ts";
import { isLive } from "./values.ts";

/** Does nothing for a run that is over. A second time changes nothing: the cursor stays where it is. */
export function subscribe(state: State, { tenant, runId }: RunRef, name: string, mode: ChannelMode): void {
  const run = findRun(state, tenant, runId);
  if (run === undefined || !isLive(run.row.status)) return;
  const channel = channelOf(tenantOf(state, tenant), name);
  channel.mode ??= mode;
  if (channel.mode !== mode) throw ChannelModeConflict.mode(name, channel.mode, mode);
  run.channels.add(name);
  if (channel.subscriptions.has(runId)) return;
  const cursor = mode === "broadcast" ? newestOf(channel) : 0;
  channel.subscriptions.set(runId, { cursor, subscribedAt: state.now });
}

/** What was brought to the run before is the run's; from now on it is brought nothing. */
export function unsubscribe(state: State, { tenant, runId }: RunRef, name: string): void {
  const run = findRun(state, tenant, runId);
  if (run !== undefined) leaveChannel(tenantOf(state, tenant), run, name);
}

/** The same id again is accepted and changes nothing. A channel that nobody has used yet is made by its first message. */
export function publish(
  state: State,
  tenantName: string,
  { id, channel: name, payload, to }: NewMessage,
): void {
  const channel = channelOf(tenantOf(state, tenantName), name);
  if (to !== null) channel.mode ??= "direct";
  const { mode } = channel;
  if ((mode === "direct") !== (to !== null)) throw ChannelModeConflict.receiver(name, mode ?? "");
  if (channel.byDedupeId.has(id)) return;
  state.tables.lastMessageId += 1;
  const message: MessageRow = {
    id: state.tables.lastMessageId,
    dedupeId: id,
    payload,
    toRun: to,
    publishedAt: state.now,
    claimedBy: null,
  };
  channel.messages.set(message.id, message);
  channel.byDedupeId.set(id, message);
}

function channelOf({ channels }: TenantTables, name: string): ChannelRow {
  const known = channels.get(name);
  if (known !== undefined) return known;
  const made: ChannelRow = {
    name,
    mode: null,
    subscriptions: new Map(),
    messages: new Map(),
    byDedupeId: new Map(),
  };
  channels.set(name, made);
  return made;
}

/** The last message that is kept; 0 without one. */
export function newestOf({ messages }: ChannelRow): number {
  let newest = 0;
  for (const id of messages.keys()) newest = id;
  return newest;
}

/** Those older than `retentionMs`, at most `limit`; gives how many. */
export function deleteOldMessages(state: State, retentionMs: number, limit: number): number {
  const old: { readonly channel: ChannelRow; readonly message: MessageRow }[] = [];
  for (const tenant of state.tables.tenants.values()) {
    for (const channel of tenant.channels.values()) {
      for (const message of channel.messages.values()) {
        const isOld = message.publishedAt < state.now - retentionMs;
        if (isOld && !isUnread(tenant, message)) old.push({ channel, message });
      }
    }
  }
  const gone = old.sort((a, b) => a.message.publishedAt - b.message.publishedAt).slice(0, limit);
  for (const { channel, message } of gone) {
    channel.messages.delete(message.id);
    channel.byDedupeId.delete(message.dedupeId);
  }
  return gone.length;
}

/** A run that was brought the message and has not read it may yet have to give it back. */
export function isUnread({ runs }: TenantTables, { id, claimedBy }: MessageRow): boolean {
  const run = claimedBy === null ? undefined : runs.get(claimedBy);
  if (run === undefined) return false;
  for (const { messageId } of run.inbox.values()) if (messageId === id) return true;
  return false;
}
