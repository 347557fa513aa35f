/** What is kept of an error, and the way back. */

/** What is stored of an error: JSON, free of U+0000 and lone surrogates, bounded in size. */
export interface Failure {
  readonly code: string;
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly cause?: Failure;
  /** The step whose failure this is, where one ended the run. */
  readonly step?: string;
  /** The child run whose end this is, where one ended badly. */
  readonly child?: { readonly runId: string; readonly status: string };
}

const MESSAGE_LIMIT = 4_000;
const STACK_LIMIT = 8_000;
const CAUSE_DEPTH = 5;
const UNREADABLE = "a value that cannot be shown";

/** Turns whatever was thrown into a `Failure`. Never throws itself: a getter that throws is left out. */
export function toFailure(thrown: unknown): Failure {
  try {
    return readFailure(thrown, 0);
  } catch {
    return { code: "error", name: "Error", message: UNREADABLE };
  }
}

function readFailure(thrown: unknown, depth: number): Failure {
  const field = (name: string): unknown => {
    try {
      return (thrown as Record<string, unknown> | null | undefined)?.[name];
    } catch {
      return undefined;
    }
  };
  if (typeof thrown !== "object" || thrown === null) {
    return { code: "error", name: "Error", message: storableText(describe(thrown), MESSAGE_LIMIT) };
  }
  const code = field("code");
  const name = field("name");
  const message = field("message");
  const stack = field("stack");
  const cause = field("cause");
  const step = code === "step_failed" || code === "child_failed" ? field("step") : undefined;
  return {
    code: storableText(typeof code === "string" ? code : "error", 100),
    name: storableText(typeof name === "string" && name !== "" ? name : "Error", 200),
    message: storableText(typeof message === "string" ? message : describe(thrown), MESSAGE_LIMIT),
    ...(typeof stack === "string" ? { stack: storableText(stack, STACK_LIMIT) } : {}),
    ...(cause !== undefined && cause !== null && depth < CAUSE_DEPTH
      ? { cause: readFailure(cause, depth + 1) }
      : {}),
    ...(typeof step === "string" ? { step: storableText(step, 300) } : {}),
  };
}

/** The way back: an Error that carries a stored failure's name, message, stack and cause. */
export function toError(failure: Failure): Error {
  const error = new Error(failure.message, failure.cause ? { cause: toError(failure.cause) } : undefined);
  Object.defineProperty(error, "name", { value: failure.name, configurable: true, writable: true });
  if (failure.stack !== undefined) error.stack = failure.stack;
  return Object.assign(error, { code: failure.code });
}

/** Postgres' jsonb and text refuse U+0000, jsonb refuses lone surrogates: both become U+FFFD. */
export function storableText(text: string, limit: number): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}… (${text.length} characters)` : text;
  return cut.toWellFormed().replaceAll("\u0000", "\ufffd");
}

function describe(thrown: unknown): string {
  try {
    return typeof thrown === "object" ? (JSON.stringify(thrown) ?? "an object") : String(thrown);
  } catch {
    return UNREADABLE;
  }
}
