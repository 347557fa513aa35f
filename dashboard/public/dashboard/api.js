// @ts-check
import { token } from "./session.js";

const PATIENCE_MS = 20_000;

/** An answer that is not a success, or none at all: then `status` is 0. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }

  /** True for what may be gone at the next try. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/**
 * @param {string} path
 * @param {AbortSignal} signal
 */
export function get(path, signal) {
  return call("GET", path, AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]));
}

/** @param {string} path */
export function post(path) {
  return call("POST", path, AbortSignal.timeout(PATIENCE_MS));
}

/**
 * @param {string} method
 * @param {string} path
 * @param {AbortSignal} signal
 */
async function call(method, path, signal) {
  const headers = { authorization: `Bearer ${token() ?? ""}` };
  const init = { method, headers, signal, cache: "no-store", credentials: "omit", redirect: "error" };
  const response = await fetch(path, /** @type {RequestInit} */ (init)).catch(() => null);
  if (response === null) throw new ApiError(0, "Pawl does not answer.");
  const body = await response.json().catch(() => null);
  if (response.ok && body !== null) return body;
  throw new ApiError(response.status, body?.error?.message ?? `Pawl answered ${response.status}.`);
}
