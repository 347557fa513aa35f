import { PawlError, StoreUnavailable } from "../../engine/errors.ts";

/** A statement failed and the body went on as if it had not. */
export class TransactionAborted extends PawlError {
  readonly code = "transaction_aborted";
  override readonly name: string = "TransactionAborted";
  constructor(step: string, cause: unknown) {
    super(
      `A statement of transaction "${step}" failed and its body caught the error: Postgres has given the transaction up, ` +
        "so nothing of it can be kept. Let the error through, or put what may fail into tx.transaction, a savepoint.",
      { cause },
    );
  }
}

/** The body ended the transaction with a statement of its own, so that the run could not be told in it. */
export class TransactionEnded extends PawlError {
  readonly code = "transaction_ended";
  override readonly retryable = false;
  override readonly name: string = "TransactionEnded";
  constructor(step: string) {
    super(
      `The body of transaction "${step}" committed or rolled back by itself. Leave that to the step: it commits when the ` +
        "body returns and rolls back when it throws.",
    );
  }
}

/** The body's `tx` was used when the body was over. */
export class TransactionOver extends PawlError {
  readonly code = "transaction_over";
  override readonly retryable = false;
  override readonly name: string = "TransactionOver";
  constructor() {
    super("This transaction is over. Await every statement before the body returns.");
  }
}

/** The connection broke: nothing is known of what was sent last. */
export class ConnectionLost extends StoreUnavailable {}

export function isLost(error: unknown): boolean {
  return error instanceof ConnectionLost;
}

/** SQLSTATE classes by which Postgres says that it, not the statement, is the problem. */
export function isLoss(error: unknown): boolean {
  const code = sqlStateOf(error);
  return code !== undefined && /^(08|28|53|57P|58)|^25006$/.test(code);
}

/** Serialisation failure and deadlock: nothing is wrong with the statements, and another try may pass. */
export function isConflict(error: unknown): boolean {
  const code = sqlStateOf(error);
  return code === "40001" || code === "40P01";
}

/** Drizzle wraps what the driver throws. */
export function sqlStateOf(error: unknown): string | undefined {
  for (let each = error; each instanceof Error; each = each.cause) {
    const { code } = each as { code?: unknown };
    if (typeof code === "string" && /^[0-9A-Z]{5}$/.test(code)) return code;
  }
  return undefined;
}
