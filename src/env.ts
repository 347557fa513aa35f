import type { EventSink } from "./engine/ports.ts";
import { createSinks } from "./events/sinks.ts";
import type { WakeUpMessage } from "./queue/message.ts";
import { findQueues } from "./queue/queues.ts";
import type { Settings } from "./runtime/runtime.ts";

/** Bindings and settings of the deployment: `wrangler.toml`, its secrets, and in development `npm run dev`. */
export interface Env {
  /** The first queue of wake-ups. Further ones are `WAKE_UPS_2`, `WAKE_UPS_3` and so on. */
  readonly WAKE_UPS: Queue<WakeUpMessage>;
  /** The dashboard's files; absent where a worker is run without them. */
  readonly ASSETS?: Fetcher;
  /** Secret: the connection string of the Postgres that holds the runs. */
  readonly DATABASE_URL?: string;
  /** Secret: the bearer token that may do everything. */
  readonly PAWL_ADMIN_TOKEN?: string;
  /** Secret: a bearer token that may look at everything and change nothing. */
  readonly PAWL_READ_TOKEN?: string;
  /** Secret: what hooks' tokens are derived from; the admin token where it is not set. */
  readonly PAWL_HOOK_SECRET?: string;
  /** Where the world reaches this deployment, such as `https://pawl.example.com`: hooks' addresses begin with it. */
  readonly PAWL_PUBLIC_URL?: string;
  /** Where events go, as JSON with the secrets that sign them: a list of queues and webhooks. */
  readonly PAWL_EVENT_SINKS?: string;
  /** How long events are kept that went wherever they had to go. */
  readonly PAWL_EVENT_RETENTION_DAYS?: string;
  /** Which version of the worker this is: the binding `[version_metadata]`. */
  readonly CF_VERSION_METADATA?: { readonly id: string };
  /** Development: host and port of the Neon-compatible gateway before a plain Postgres. */
  readonly NEON_LOCAL?: string;
  readonly PAWL_LEASE_MS?: string;
  readonly PAWL_LOST_TURN_LIMIT?: string;
  readonly PAWL_WAKE_UP_GRACE_MS?: string;
  /** How long channels keep their messages, read or not. */
  readonly PAWL_MESSAGE_RETENTION_DAYS?: string;
  /** What the cron knows without the database; without it every tick sweeps. */
  readonly AGENDA?: KVNamespace;
  /** How long ticks may do without the database, whatever the agenda says. 0: no tick does. */
  readonly PAWL_SAFETY_SWEEP_MINUTES?: string;
  /** How long one request to the database may go without an answer. */
  readonly PAWL_DATABASE_TIMEOUT_MS?: string;
  /** How long the queue consumer waits for slow turns before it lets the next batch come. */
  readonly PAWL_CONSUMER_WAIT_MS?: string;
}

/** At least 16 visible characters that a header can carry: no space, no comma. */
const TOKEN = /^[\x21-\x2b\x2d-\x7e]{16,}$/;
const POSTGRES_URL = /^postgres(ql)?:\/\//;

/** What is missing or wrong before this deployment can serve, as a sentence; null when nothing is. */
export function whatIsMissing(env: Env): string | null {
  if (!env.DATABASE_URL)
    return "The secret DATABASE_URL is not set: run `npx wrangler secret put DATABASE_URL`.";
  if (!env.PAWL_ADMIN_TOKEN) {
    return "The secret PAWL_ADMIN_TOKEN is not set: run `npx wrangler secret put PAWL_ADMIN_TOKEN`.";
  }
  if (!POSTGRES_URL.test(env.DATABASE_URL) || !URL.canParse(env.DATABASE_URL)) {
    return "The secret DATABASE_URL is not a connection string: it must look like postgres://user:password@host/database.";
  }
  if (!TOKEN.test(env.PAWL_ADMIN_TOKEN)) {
    return "The secret PAWL_ADMIN_TOKEN must be at least 16 visible ASCII characters, without spaces and commas.";
  }
  if (
    env.PAWL_READ_TOKEN &&
    (!TOKEN.test(env.PAWL_READ_TOKEN) || env.PAWL_READ_TOKEN === env.PAWL_ADMIN_TOKEN)
  ) {
    return "The secret PAWL_READ_TOKEN must be another than PAWL_ADMIN_TOKEN, of at least 16 visible ASCII characters, without spaces and commas.";
  }
  try {
    findQueues(env);
    readSettings(env);
    readSinks(env);
  } catch (error) {
    return (error as Error).message;
  }
  return null;
}

/** Where events go. Throws when the setting is not what it must be. */
export function readSinks(env: Env): EventSink[] {
  return createSinks(env.PAWL_EVENT_SINKS, env, env.NEON_LOCAL !== undefined);
}

/** Every limit and span in one place. Throws when a setting is not a whole number. */
export function readSettings(
  env: Env,
): Settings & { readonly databaseTimeoutMs: number; readonly consumerWaitMs: number } {
  return {
    leaseMs: wholeNumber(env, "PAWL_LEASE_MS", 30_000),
    lostTurnLimit: wholeNumber(env, "PAWL_LOST_TURN_LIMIT", 8),
    wakeUpGraceMs: wholeNumber(env, "PAWL_WAKE_UP_GRACE_MS", 15_000),
    sweepHorizonMs: 120_000,
    sweepLimit: 1_000,
    turnBytes: 4_000_000,
    safetySweepMs: wholeNumber(env, "PAWL_SAFETY_SWEEP_MINUTES", 60) * 60_000,
    messageRetentionMs: wholeNumber(env, "PAWL_MESSAGE_RETENTION_DAYS", 14) * 24 * 3_600_000,
    eventRetentionMs: wholeNumber(env, "PAWL_EVENT_RETENTION_DAYS", 7) * 86_400_000,
    databaseTimeoutMs: wholeNumber(env, "PAWL_DATABASE_TIMEOUT_MS", 15_000),
    // A consumer may run for 15 minutes; what is slower still is cut off, and its lease is reclaimed.
    consumerWaitMs: wholeNumber(env, "PAWL_CONSUMER_WAIT_MS", 14 * 60_000),
  };
}

type NumberSetting =
  | "PAWL_LEASE_MS"
  | "PAWL_LOST_TURN_LIMIT"
  | "PAWL_WAKE_UP_GRACE_MS"
  | "PAWL_SAFETY_SWEEP_MINUTES"
  | "PAWL_EVENT_RETENTION_DAYS"
  | "PAWL_MESSAGE_RETENTION_DAYS"
  | "PAWL_DATABASE_TIMEOUT_MS"
  | "PAWL_CONSUMER_WAIT_MS";

function wholeNumber(env: Env, name: NumberSetting, fallback: number): number {
  const text = env[name];
  if (text === undefined || text === "") return fallback;
  // Without quoting it: a secret may stand in the wrong place, and anybody may be told this.
  if (!/^\d{1,9}$/.test(text))
    throw new TypeError(`The setting ${name} must be a whole number of at most 9 digits.`);
  return Number(text);
}
