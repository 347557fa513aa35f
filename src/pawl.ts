/** What a workflow imports: `import { defineWorkflow } from "pawl"`. The project's one public door. */
export type { Duration } from "./engine/duration.ts";
export { NonRetryableError, StepFailed } from "./engine/errors.ts";
export { type Retry, RetryableError } from "./engine/retry.ts";
export {
  defineWorkflow,
  type RunFacts,
  type StepBody,
  type StepContext,
  type StepOptions,
  type Steps,
  type Workflow,
  type WorkflowContext,
} from "./engine/workflow.ts";
