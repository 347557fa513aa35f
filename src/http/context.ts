import type { Context } from "hono";
import { RunNotFound } from "../engine/errors.ts";
import type { RunRef } from "../engine/run.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { isUlid } from "./cursor.ts";

/** What the wiring hands over for one request; `unready` says why this deployment must not serve. */
export type HttpDeps =
  | { readonly unready: string }
  | {
      readonly unready: null;
      readonly runtime: Runtime;
      /** `digestToken` of the secret. */
      readonly adminTokenDigest: Uint8Array;
    };

/** Whoever the bearer token stands for: every call to a use case names its tenant. */
export interface Principal {
  readonly tenant: string;
}

/** What the middlewares at the root leave for the routes; a public route has no principal. */
export interface HttpEnv {
  Variables: {
    requestId: string;
    runtime: Runtime;
    adminTokenDigest: Uint8Array;
    principal: Principal;
  };
}

/** The run that the route's `:id` names; throws `RunNotFound` without a question when no run can have that id. */
export function refOf(c: Context<HttpEnv>): RunRef {
  const runId = c.req.param("id") ?? "";
  if (!isUlid(runId)) throw new RunNotFound(runId);
  return { tenant: c.var.principal.tenant, runId };
}
