import type { Hooks } from "../../src/runtime/runtime.ts";

/** As long as every token must be. */
const LENGTH = 43;

/** Anybody can tell these: who may know a token is for other tests. */
export function hookToken(runId: string, key: string): string {
  return `${runId}${key}`.padEnd(LENGTH, "_");
}

export const hooks: Hooks = {
  digest: hookToken,
  digestToken: (token) => token,
  hookUrl: (runId, key) => `/hooks/${hookToken(runId, key)}`,
};
