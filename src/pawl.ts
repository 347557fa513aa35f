/** What a workflow imports: `import { defineWorkflow } from "pawl"`. The project's one public door. */
import type { NeonTransaction } from "drizzle-orm/neon-serverless";

export type { Duration } from "./engine/duration.ts";
export { ChildFailed, NonRetryableError, StepFailed } from "./engine/errors.ts";
export type { GraphOutput, NodeContext, NodeResult } from "./engine/graph/node.ts";
export {
  defineGraph,
  type Gate,
  type GraphDefinition,
  type GraphStep,
  type Handler,
} from "./engine/graph.ts";
export type { Round, SequenceContext } from "./engine/plan/sequence.ts";
export { type Retry, RetryableError } from "./engine/retry.ts";
export { Sequence, sequence } from "./engine/sequence.ts";
export {
  type ChannelMode,
  type ChildOptions,
  type CompensationContext,
  defineWorkflow,
  type Hook,
  type MapOptions,
  type RunFacts,
  type StepBody,
  type StepContext,
  type StepOptions,
  type Steps,
  type TransactionContext,
  type TransactionOptions,
  type WaitOptions,
  type Workflow,
  type WorkflowContext,
} from "./engine/workflow.ts";

declare module "./engine/workflow.ts" {
  /** Drizzle's own: `tx.insert(table)`, ``tx.execute(sql`…`)``, and `tx.transaction` for a savepoint. */
  interface Transaction extends NeonTransaction<Record<string, never>, Record<string, never>> {}
}
