/** Runs that wait for messages, and what they read. */
import { encode } from "../../../src/engine/codec.ts";
import type { Delivery } from "../../../src/engine/delivery.ts";
import type { NewMessage } from "../../../src/engine/ports.ts";
import type { ClaimedRun, RunRef } from "../../../src/engine/run.ts";
import type { ChannelMode } from "../../../src/engine/workflow.ts";
import type { Bed } from "./bed.ts";
import { decision, entry, only, type Turn } from "./builders.ts";

/** More than any test has. */
export const MANY = 1_000;

export interface Waiting {
  readonly key?: string;
  /** When the wait is given up. */
  readonly inMs?: number;
}

/** More than any run reads. */
const MOST = 20;

let published = 0;

export function message(channel: string, payload: unknown, fields: Partial<NewMessage> = {}): NewMessage {
  published += 1;
  return {
    id: `message ${published}`,
    channel,
    payload: encode(payload, "The message"),
    to: null,
    ...fields,
  };
}

export function receiversOf(bed: Bed) {
  const { store } = bed;

  /** Parks the turn until the channel has a message for it. */
  async function park(run: Turn, channel: string, { key = "receive", inMs }: Waiting = {}, fields = {}) {
    const due = inMs === undefined ? null : { inMs };
    const waits = [{ key, kind: "message" as const, name: channel, due }];
    await bed.commit([decision(run, { status: "waiting", wakeInMs: inMs ?? null, waits, ...fields })]);
  }

  /** A run that has subscribed and not parked. */
  async function subscriber(channel: string, mode: ChannelMode = "broadcast", tenant = "default") {
    const run = await bed.startAndClaim({}, tenant);
    await store.subscribe(run, channel, mode);
    return run;
  }

  /** A run that waits for a message. */
  async function receiver(channel: string, mode?: ChannelMode, waiting?: Waiting) {
    const run = await subscriber(channel, mode);
    await park(run, channel, waiting);
    return run;
  }

  /** Publishes each payload in turn, and brings what there is after each. */
  async function tell(channel: string, ...payloads: readonly unknown[]) {
    for (const payload of payloads) {
      await store.publish("default", message(channel, payload));
      await store.matchMessages("default", channel, MANY);
    }
  }

  /** What has been brought to the run, which must be due for it. */
  async function inbox(run: RunRef): Promise<[ClaimedRun, Delivery]> {
    const turn = await bed.claim(run);
    return [turn, only(turn.inbox)];
  }

  let reads = 0;

  /** Takes the message that was brought to the run, and has it wait for the next one. */
  async function read(run: RunRef, channel: string): Promise<unknown> {
    const [turn, { id, name, payload }] = await inbox(run);
    reads += 1;
    await park(
      turn,
      channel,
      { key: `receive again ${reads}` },
      {
        entries: [entry(turn.journal.length + 1, { kind: "message", key: name, output: payload })],
        consumed: [{ id, key: name }],
        endedWaits: [name],
      },
    );
    await store.matchMessages(run.tenant, channel, MANY);
    return payload?.json;
  }

  /** Everything that the run is brought until there is no more. */
  async function readAll(run: RunRef, channel: string): Promise<unknown[]> {
    const all: unknown[] = [];
    while ((await bed.see(run)).wakeAt !== null) {
      if (all.length === MOST) throw new Error("there is no end to what it reads");
      all.push(await read(run, channel));
    }
    return all;
  }

  return { park, subscriber, receiver, tell, inbox, read, readAll };
}
