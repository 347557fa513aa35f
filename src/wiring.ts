/** Builds everything from the environment. The only file that sees every folder. */
import { monotonicFactory } from "ulid";
import { clock } from "./clock.ts";
import { sweep, tick } from "./cron/tick.ts";
import type { Decision } from "./engine/decide.ts";
import { type AnyWorkflow, Registry } from "./engine/workflow.ts";
import { type Env, readSettings, whatIsMissing } from "./env.ts";
import { createApp } from "./http/app.ts";
import { digestToken } from "./http/auth.ts";
import { consumeWakeUps } from "./queue/consumer.ts";
import { createWakeUps } from "./queue/producer.ts";
import type { Loopback } from "./runtime/dispatch-turns.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { type LeasedTurn, takeTurn } from "./runtime/take-turn.ts";
import { connect } from "./storage/db.ts";
import { createReads } from "./storage/reads.ts";
import { createStore } from "./storage/store.ts";
import { observed, report } from "./telemetry.ts";

const newRunId = monotonicFactory();

/** The worker's handlers for these workflows; `takeTurn` is what the `Turn` entrypoint answers with. */
export function createWorker(workflows: readonly AnyWorkflow[]) {
  const registry = new Registry(workflows);
  const deployments = new WeakMap<Env, Deployment>();
  const deploymentOf = (env: Env): Deployment => {
    const deployment = deployments.get(env) ?? readDeployment(env, registry);
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
    const adminTokenDigest = await digestToken(env.PAWL_ADMIN_TOKEN ?? "");
    return { unready, runtime: runtimeOf(env), adminTokenDigest };
  });
  return {
    fetch: (request: Request, env: Env, ctx: ExecutionContext) => app.fetch(request, env, ctx),
    async queue(batch: MessageBatch<unknown>, env: Env, ctx: ExecutionContext): Promise<void> {
      const runtime = runtimeOf(env);
      await consumeWakeUps(
        {
          runtime,
          loopback: loopback(ctx),
          waitMs: readSettings(env).consumerWaitMs,
          waitUntil: (work) => ctx.waitUntil(work),
          sweep: () => sweep(runtime),
        },
        batch,
      );
    },
    async scheduled(_controller: ScheduledController, env: Env): Promise<void> {
      await tick(runtimeOf(env));
    },
    takeTurn(env: Env, turn: LeasedTurn): Promise<Decision | null> {
      return takeTurn(runtimeOf(env), turn);
    },
  };
}

/** A call to the `Turn` entrypoint of this very worker: an invocation of its own for every turn. */
function loopback(ctx: ExecutionContext): Loopback {
  const { Turn } = (ctx as unknown as { exports: { Turn: { take: Loopback } } }).exports;
  return (turn) => Turn.take(turn);
}

/** What follows from the environment alone, and is built once per isolate: it holds nothing of an invocation. */
type Deployment = { readonly unready: string } | { readonly unready: null; readonly runtime: Runtime };

function readDeployment(env: Env, registry: Registry): Deployment {
  const unready = whatIsMissing(env);
  if (unready !== null) return { unready };
  const settings = readSettings(env);
  const db = connect(env.DATABASE_URL ?? "", env.NEON_LOCAL, settings.databaseTimeoutMs);
  const runtime = {
    store: observed("store", createStore(db)),
    reads: observed("reads", createReads(db)),
    wakeUps: observed("wake-ups", createWakeUps(env.WAKE_UPS)),
    clock,
    registry,
    settings,
    newRunId: () => newRunId(),
    report,
  };
  return { unready, runtime };
}
