import { type Encoded, encode, type Json } from "./codec.ts";
import { InvalidStep } from "./errors.ts";
import type { RunRef } from "./run.ts";

/** What a run tells the outside, in the terms of CloudEvents 1.0. */
export interface NewEvent {
  /** Such as `order.shipped`. */
  readonly type: string;
  readonly subject?: string;
  readonly data?: unknown;
}

/** An event as it is stored; `source`, `time` and the rest of the envelope follow from its run. */
export interface CloudEvent {
  /** Unique, and the same whenever the same event is delivered again. */
  readonly id: string;
  readonly type: string;
  readonly subject: string | null;
  readonly data: Encoded | null;
}

/** Throws `InvalidStep` for what no CloudEvent can carry, `UnstorableValue` for its data. */
export function toCloudEvent(id: string, event: NewEvent): CloudEvent {
  const { type, subject, data } = event ?? {};
  if (typeof type !== "string" || !/^[\x21-\x7e]{1,200}$/.test(type)) {
    throw new InvalidStep(
      'An event needs a type of 1 to 200 visible ASCII characters, such as "order.shipped".',
    );
  }
  if (subject !== undefined && !isSubject(subject)) {
    throw new InvalidStep(
      `The subject of event "${type}" must be a text of 1 to 200 characters, without U+0000 or half a surrogate pair.`,
    );
  }
  return {
    id,
    type,
    subject: subject ?? null,
    data: data === undefined ? null : encode(data, `The data of event "${type}"`),
  };
}

function isSubject(subject: unknown): boolean {
  if (typeof subject !== "string" || subject === "" || subject.length > 200) return false;
  return !subject.includes("\u0000") && subject.isWellFormed();
}

/** An event as a sink is to send it. */
export interface OutgoingEvent extends RunRef {
  readonly id: string;
  readonly workflow: string;
  readonly type: string;
  readonly subject: string | null;
  /** What JSON can say of it; undefined when the event has no data. */
  readonly data: Json | undefined;
  readonly emittedAt: number;
}

/** `dead`: it was tried as often as it may be. A person may have it sent again. */
export const SEND_STATUSES = ["pending", "sent", "dead"] as const;
export type SendStatus = (typeof SEND_STATUSES)[number];

/** One event on its way to one sink. */
export interface SendRef extends RunRef {
  readonly sink: string;
  readonly seq: number;
  /** Counted from 1. What is written about a try carries its number, and does nothing once another has begun. */
  readonly attempt: number;
}

export interface ClaimedSend extends SendRef {
  readonly event: OutgoingEvent;
}

/** What came of a try. */
export interface SendOutcome extends SendRef {
  readonly status: SendStatus;
  /** Set for `pending`: when it is tried again. */
  readonly retryInMs: number | null;
  readonly error: string | null;
}

/** Where events go, as far as routing must know. */
export interface Route {
  readonly sink: string;
  /** Types, and beginnings of types such as `order.*`. */
  readonly types: readonly string[];
}

/** An event as people see it, with where it went. */
export interface EventLine extends Omit<OutgoingEvent, "data"> {
  readonly seq: number;
  readonly sends: readonly {
    readonly sink: string;
    readonly status: SendStatus;
    readonly attempts: number;
    readonly nextAt: number | null;
    readonly lastError: string | null;
    readonly sentAt: number | null;
  }[];
}

export interface EventFilter {
  readonly status?: SendStatus | undefined;
  readonly run?: string | undefined;
}
