import { Hono } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import { authenticate } from "./auth.ts";
import { bodiless } from "./body.ts";
import type { HttpDeps, HttpEnv } from "./context.ts";
import { answerError } from "./errors.ts";
import { identify } from "./headers.ts";
import { markChanges } from "./mark.ts";
import { MethodNotAllowed, NotConfigured, RouteNotFound } from "./refusals.ts";
import { bulk } from "./routes/bulk.ts";
import { channels } from "./routes/channels.ts";
import { deadLetters } from "./routes/dead-letters.ts";
import { events } from "./routes/events.ts";
import { groups } from "./routes/groups.ts";
import { health } from "./routes/health.ts";
import { history, historyOfRun } from "./routes/history.ts";
import { hooks } from "./routes/hooks.ts";
import { metrics } from "./routes/metrics.ts";
import { prometheus } from "./routes/prometheus.ts";
import { runs } from "./routes/runs.ts";
import { session } from "./routes/session.ts";
import { steps } from "./routes/steps.ts";
import { system } from "./routes/system.ts";
import { waits } from "./routes/waits.ts";
import { workflows } from "./routes/workflows.ts";
import { createSignInLimit } from "./sign-in-limit.ts";

/** The HTTP API. `wire` is asked once per request, before anything else; what it throws is not answered. */
export function createApp<Bindings extends object>(
  wire: (env: Bindings, ctx: ExecutionContext) => HttpDeps | Promise<HttpDeps>,
) {
  const app = new Hono<HttpEnv>();
  const signIns = createSignInLimit();
  app.onError(answerError);
  app.notFound((c) => answerError(new RouteNotFound(), c));
  app.use(identify);
  app.use(async (c, next) => {
    const deps = await wire(c.env as Bindings, c.executionCtx as ExecutionContext);
    if (deps.unready !== null) throw new NotConfigured(deps.unready);
    c.set("runtime", deps.runtime);
    c.set("tokens", deps.tokens);
    c.set("signIns", signIns);
    await next();
  });
  app.use(authenticate);
  app.use(bodiless);
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) => answerError(new MethodNotAllowed(c.req.method, methods), c),
    }),
  );
  return app
    .route("/healthz", health)
    .route("/api/session", session)
    .use(markChanges)
    .route("/hooks", hooks)
    .route("/api/channels", channels)
    .route("/api/groups", groups)
    .route("/api/workflows", workflows)
    .route("/api/runs", runs)
    .route("/api/runs", steps)
    .route("/api/runs", historyOfRun)
    .route("/api/history", history)
    .route("/api/bulk", bulk)
    .route("/api/dead-letters", deadLetters)
    .route("/api/events", events)
    .route("/api/waits", waits)
    .route("/api/system", system)
    .route("/api/metrics", metrics)
    .route("/metrics", prometheus);
}

/** For typed clients: `hc<Api>(url)`. */
export type Api = ReturnType<typeof createApp>;
