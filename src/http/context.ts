import type { Runtime } from "../runtime/runtime.ts";
import type { SignInLimit } from "./sign-in-limit.ts";

/** What the wiring hands over for one request; `unready` says why this deployment must not serve. */
export type HttpDeps =
  | { readonly unready: string }
  | {
      readonly unready: null;
      readonly runtime: Runtime;
      readonly tokens: TokenDigests;
    };

/** `digestToken` of the secrets. */
export interface TokenDigests {
  readonly admin: Uint8Array;
  /** Null where the deployment has no token that may only read. */
  readonly read: Uint8Array | null;
}

/** `admin` may do everything, `read` may look at everything. */
export type Role = "admin" | "read";

/** Whoever the token or the session stands for: every call to a use case names its tenant. */
export interface Principal {
  readonly tenant: string;
  readonly role: Role;
  /** Null for a bearer token, which says for itself who calls. */
  readonly sessionExpiresAt: number | null;
}

/** What the middlewares at the root leave for the routes; a public route has no principal. */
export interface HttpEnv {
  Variables: {
    requestId: string;
    runtime: Runtime;
    tokens: TokenDigests;
    signIns: SignInLimit;
    principal: Principal;
  };
}
