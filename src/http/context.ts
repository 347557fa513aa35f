import type { Runtime } from "../runtime/runtime.ts";

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
interface Principal {
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
