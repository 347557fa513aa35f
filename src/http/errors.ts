/**
 * The one table of what can go wrong over HTTP, and the one place that answers with it.
 *
 * I9: a database outage is a 503 with `Retry-After`, never a 4xx; a bad request is a 4xx, never a 5xx.
 */
import type { Context } from "hono";
import { routePath } from "hono/route";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { PawlError } from "../engine/errors.ts";
import type { HttpEnv } from "./context.ts";
import { Refusal } from "./refusals.ts";

/** Every code that an answer can carry. Codes are stable; messages are for people and may change. */
export const ERRORS = {
  invalid_json: { status: 400, meaning: "The body is empty, cut short, not UTF-8 or not JSON." },
  invalid_request: { status: 400, meaning: "A field, parameter or header is unknown, wrong or given twice." },
  invalid_cursor: { status: 400, meaning: "The cursor is not one that this list gave." },
  too_deep: { status: 400, meaning: "The body is nested deeper than 64 levels." },
  too_many_keys: { status: 400, meaning: "The body's values have more than 10,000 keys." },
  invalid_signal_name: { status: 400, meaning: "A signal cannot be called that." },
  unauthorized: { status: 401, meaning: "Token and session are missing or wrong." },
  read_only: { status: 403, meaning: "The token may only read." },
  cross_origin: { status: 403, meaning: "The session's cookie came from a page of another origin." },
  not_found: { status: 404, meaning: "No route has this path." },
  run_not_found: { status: 404, meaning: "There is no such run, or it belongs to somebody else." },
  state_not_found: { status: 404, meaning: "The run has set nothing under that key." },
  entry_not_found: { status: 404, meaning: "The run's journal has no entry of that number." },
  bulk_not_found: { status: 404, meaning: "There is no such bulk action." },
  hook_not_found: { status: 404, meaning: "No hook has this token, or its run is over." },
  event_not_found: { status: 404, meaning: "There is no such event, or it belongs to somebody else." },
  workflow_not_found: { status: 404, meaning: "No workflow of that name and version is registered." },
  method_not_allowed: { status: 405, meaning: "The path exists for the methods in `Allow`." },
  channel_mode_conflict: { status: 409, meaning: "The channel is used in another mode." },
  bulk_over: { status: 409, meaning: "The bulk action is done, so it cannot be aborted." },
  hook_used: { status: 409, meaning: "The hook has been used." },
  gate_open: { status: 409, meaning: "The gate is open, so nothing can be appended under it." },
  mutation_conflict: { status: 409, meaning: "The mutation key belongs to another request." },
  not_a_graph: { status: 409, meaning: "The run's workflow is no graph, so it takes no steps." },
  idempotency_conflict: { status: 409, meaning: "The key belongs to a run with another input or origin." },
  not_awaited: { status: 409, meaning: "The run waits for no word on that step." },
  event_not_dead: { status: 409, meaning: "The event is dead at no sink." },
  wrong_status: { status: 409, meaning: "The run's status does not allow this." },
  hook_expired: { status: 410, meaning: "The hook was not used in time." },
  body_too_large: { status: 413, meaning: "The body is larger than 1,000,000 bytes." },
  unsupported_media_type: { status: 415, meaning: "The body is not plain `application/json`." },
  invalid_input: { status: 422, meaning: "The input does not fit the workflow's schema." },
  invalid_append: { status: 422, meaning: "The steps do not fit the graph of the run." },
  unknown_step: { status: 422, meaning: "The run's journal has no such step to begin at." },
  invalid_duration: { status: 422, meaning: "A span of time cannot be read or is out of range." },
  unstorable_value: { status: 422, meaning: "A value cannot be stored, such as text with U+0000." },
  duplicate_idempotency_key: { status: 422, meaning: "One batch names the same key twice." },
  too_many_sign_ins: { status: 429, meaning: "Too many wrong tokens came from this address." },
  internal_error: { status: 500, meaning: "A fault of ours; the operator finds it by its request id." },
  not_configured: { status: 503, meaning: "The deployment lacks a setting and serves nothing." },
  query_timeout: { status: 503, meaning: "The question takes too long; narrow it." },
  store_unavailable: { status: 503, meaning: "The database does not answer; try again." },
} as const satisfies Record<string, { status: ContentfulStatusCode; meaning: string }>;

type ErrorCode = keyof typeof ERRORS;

/** The body of every answer that is not a success. */
interface ErrorAnswer {
  readonly error: { readonly code: ErrorCode; readonly message: string; readonly requestId: string };
}

/** How long a caller should wait before it tries again, in seconds. */
export const RETRY_AFTER = "5";

/** Turns what was thrown into an answer; what the table does not know says nothing about its cause. */
export function answerError(error: Error, c: Context<HttpEnv>): Response {
  const code = codeOf(error);
  const status: number = ERRORS[code].status;
  const { requestId } = c.var;
  if (status >= 500 && code !== "not_configured") report(error, c);
  if (status === 503) c.header("Retry-After", RETRY_AFTER);
  if (error instanceof Refusal)
    for (const [name, value] of Object.entries(error.headers)) c.header(name, value);
  const message =
    code === "internal_error"
      ? `Something went wrong here. Quote ${requestId} to the operator.`
      : error.message;
  const answer: ErrorAnswer = { error: { code, message, requestId } };
  return c.json(answer, ERRORS[code].status);
}

function codeOf(error: Error): ErrorCode {
  return error instanceof PawlError && isErrorCode(error.code) ? error.code : "internal_error";
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

function report(error: Error, c: Context<HttpEnv>): void {
  const runtime: HttpEnv["Variables"]["runtime"] | undefined = c.var.runtime;
  // The wiring itself threw, so there is nobody to tell but the platform, which logs what is thrown at it.
  if (runtime === undefined) throw error;
  runtime.report(`answering ${c.req.method} ${routePath(c, -1)}, request ${c.var.requestId}`, error);
}
