/**
 * Hooks' tokens are derived, never stored: an HMAC of the run and the step under a secret of the deployment. The
 * journal and the database hold none, and a replay finds the same address again.
 */
import { createHash, createHmac } from "node:crypto";
import type { Hooks } from "./runtime/runtime.ts";

/** `baseUrl` is where the world reaches this deployment; without it an address is a path. */
export function createHooks(secret: string, baseUrl: string | undefined): Hooks {
  const token = (runId: string, key: string) =>
    createHmac("sha256", secret).update(`pawl hook\n${runId}\n${key}`).digest("base64url");
  return {
    digestToken: digestHookToken,
    digest: (runId, key) => digestHookToken(token(runId, key)),
    hookUrl: (runId, key) => `${baseUrl?.replace(/\/+$/, "") ?? ""}/hooks/${token(runId, key)}`,
  };
}

export function digestHookToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
