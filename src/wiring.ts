/** Builds everything from the environment. The only file that sees every folder. */
import { decodeTime, monotonicFactory } from "ulid";
import { clock } from "./clock.ts";
import { createAgenda } from "./cron/agenda.ts";
import { sweep, tick } from "./cron/tick.ts";
import { CronWatch } from "./cron/watch.ts";
import { watched } from "./determinism.ts";
import type { BranchOutcome } from "./engine/branch.ts";
import type { Decision } from "./engine/decide.ts";
import { type AnyWorkflow, Registry } from "./engine/workflow.ts";
import { type Env, readSettings, readSinks, whatIsMissing } from "./env.ts";
import { createHooks } from "./hooks.ts";
import { createApp } from "./http/app.ts";
import { digestToken } from "./http/auth.ts";
import { consumeWakeUps } from "./queue/consumer.ts";
import { createWakeUps } from "./queue/producer.ts";
import { findQueues } from "./queue/queues.ts";
import type { Loopback } from "./runtime/dispatch-turns.ts";
import { Marks } from "./runtime/marks.ts";
import { type LeasedBranch, performBranch } from "./runtime/perform-branch.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { type LeasedTurn, takeTurn } from "./runtime/take-turn.ts";
import { WarmBranches } from "./runtime/warm-branches.ts";
import { WarmRuns } from "./runtime/warm-runs.ts";
import { shell } from "./shell.ts";
import { Stopwatch } from "./stopwatch.ts";
import { createBulks } from "./storage/bulks.ts";
import { connect } from "./storage/db.ts";
import { createHistory } from "./storage/history.ts";
import { createOverview } from "./storage/overview.ts";
import { createReads } from "./storage/reads.ts";
import { createStore } from "./storage/store.ts";
import { createTimings } from "./storage/timings.ts";
import { createTransactions } from "./storage/transactions.ts";
import { observed, report, warnOfCall } from "./telemetry.ts";

const newRunId = monotonicFactory();

/**
 * The worker's handlers for these workflows; `takeTurn` and `performBranch` are what the `Turn` entrypoint answers with.
 * Without `warmRuns` nothing is kept from one turn to the next, without `warmBranches` from one branch to another.
 */
export function createWorker(
  workflows: readonly AnyWorkflow[],
  warmRuns = goesOnElsewhere() ? new WarmRuns() : null,
  warmBranches: WarmBranches | null = new WarmBranches(),
) {
  const registry = new Registry(watched(workflows, warnOfCall));
  const cron = new CronWatch();
  const stopwatch = new Stopwatch(() => clock.now());
  const deployments = new WeakMap<Env, Deployment>();
  const deploymentOf = (env: Env): Deployment => {
    const deployment =
      deployments.get(env) ?? readDeployment(env, registry, { warmRuns, warmBranches }, stopwatch);
    deployments.set(env, deployment);
    return deployment;
  };
  const runtimeOf = (env: Env): Runtime => {
    const deployment = deploymentOf(env);
    if (deployment.unready !== null) throw new Error(deployment.unready);
    return deployment.runtime;
  };
  const app = createApp<Env>(async (env) => {
    const { unready } = deploymentOf(env);
    if (unready !== null) return { unready };
    const tokens = {
      admin: await digestToken(env.PAWL_ADMIN_TOKEN ?? ""),
      read: env.PAWL_READ_TOKEN ? await digestToken(env.PAWL_READ_TOKEN) : null,
    };
    return { unready, runtime: runtimeOf(env), tokens };
  });
  return {
    async fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
      return (await shell(request, env)) ?? app.fetch(request, env, ctx);
    },
    async queue(batch: MessageBatch<unknown>, env: Env, ctx: ExecutionContext): Promise<void> {
      const runtime = runtimeOf(env);
      await consumeWakeUps(
        {
          runtime,
          loopback: stopwatch.loopback(loopback(ctx)),
          late: (ms) => stopwatch.note("queue", ms),
          waitMs: readSettings(env).consumerWaitMs,
          waitUntil: (work) => ctx.waitUntil(work),
          sweep: (only) => sweep(runtime, only),
          sweepIfLate: () => cron.sweepIfLate(runtime),
        },
        batch,
      );
      ctx.waitUntil(keep(stopwatch.flushOld(runtime.timings)));
    },
    async scheduled({ scheduledTime }: ScheduledController, env: Env): Promise<void> {
      const runtime = runtimeOf(env);
      cron.ticked(runtime);
      await Promise.all([tick(runtime, scheduledTime), keep(stopwatch.flush(runtime.timings))]);
    },
    takeTurn(env: Env, turn: LeasedTurn): Promise<Decision | null | "cold"> {
      return stopwatch.turn(turn, () => takeTurn(runtimeOf(env), turn));
    },
    performBranch(env: Env, branch: LeasedBranch): Promise<BranchOutcome | null> {
      return stopwatch.branch(branch, () => performBranch(runtimeOf(env), branch));
    },
  };
}

/** A call to the `Turn` entrypoint of this very worker: an invocation of its own for every turn and every branch. */
function loopback(ctx: ExecutionContext): Loopback {
  const { Turn } = (ctx as unknown as { exports: { Turn: Loopback } }).exports;
  return { take: (turn) => Turn.take(turn), perform: (branch) => Turn.perform(branch) };
}

/**
 * Whether code that waits since one invocation may go on in another of this isolate: the platform lets it with the
 * compatibility flag `no_handle_cross_request_promise_resolution`, and cancels it without.
 */
function goesOnElsewhere(): boolean {
  const { Cloudflare } = globalThis as { Cloudflare?: { compatibilityFlags?: Record<string, boolean> } };
  return Cloudflare?.compatibilityFlags?.handle_cross_request_promise_resolution === false;
}

/** Figures that cannot be kept are no reason to fail. */
function keep(flushed: Promise<void>): Promise<void> {
  return flushed.catch((error: unknown) => report("keeping the times of turns", error));
}

/** What follows from the environment alone, and is built once per isolate: it holds nothing of an invocation. */
type Deployment = { readonly unready: string } | { readonly unready: null; readonly runtime: Runtime };

function readDeployment(
  env: Env,
  registry: Registry,
  warm: Pick<Runtime, "warmRuns" | "warmBranches">,
  stopwatch: Stopwatch,
): Deployment {
  const unready = whatIsMissing(env);
  if (unready !== null) return { unready };
  const settings = readSettings(env);
  const db = connect(env.DATABASE_URL ?? "", env.NEON_LOCAL, settings.databaseTimeoutMs);
  const runtime: Runtime = {
    store: stopwatch.store(observed("store", createStore(db))),
    reads: observed("reads", createReads(db)),
    overview: observed("overview", createOverview(db)),
    history: observed("history", createHistory(db)),
    bulks: observed("bulks", createBulks(db)),
    timings: observed("timings", createTimings(db)),
    wakeUps: stopwatch.wakeUps(
      observed("wake-ups", createWakeUps({ queues: findQueues(env), random: Math.random, report })),
    ),
    agenda: env.AGENDA === undefined ? null : observed("agenda", createAgenda(env.AGENDA, clock)),
    marks: new Marks(),
    clock,
    registry,
    settings,
    deployment: env.CF_VERSION_METADATA?.id ?? null,
    transactions: createTransactions(env.DATABASE_URL ?? "", env.NEON_LOCAL, db, clock.sleep),
    sinks: readSinks(env),
    ...warm,
    hooks: createHooks(env.PAWL_HOOK_SECRET ?? env.PAWL_ADMIN_TOKEN ?? "", env.PAWL_PUBLIC_URL),
    newRunId: (parent) =>
      newRunId(parent === undefined ? undefined : Math.max(Date.now(), decodeTime(parent) + 1)),
    random: () => Math.random(),
    uuid: () => crypto.randomUUID(),
    report,
  };
  return { unready, runtime };
}
