import { encode } from "../engine/codec.ts";
import { HookExpired, HookNotFound, HookUsed } from "../engine/refusals.ts";
import type { Runtime } from "./runtime.ts";
import { wakeDue } from "./wake-due.ts";

/** The form of every token: 32 bytes as base64url. What looks different is nobody's, and the database is not asked. */
const TOKEN = /^[A-Za-z0-9_-]{43}$/;

/**
 * Hands what was posted to a hook to its run, once. The token is neither stored nor told to anybody. Throws
 * `HookNotFound`, `HookUsed`, `HookExpired`.
 */
export async function receiveHook(runtime: Runtime, token: string, payload: unknown): Promise<void> {
  if (!TOKEN.test(token)) throw new HookNotFound();
  const digest = runtime.hooks.digestToken(token);
  const { result, due } = await runtime.store.receiveHook(digest, encode(payload, "What was posted"));
  if (result === "not_found") throw new HookNotFound();
  if (result === "used") throw new HookUsed();
  if (result === "expired") throw new HookExpired();
  await wakeDue(runtime, due, "after a hook");
}
