import type { AnyWorkflow } from "../engine/workflow.ts";

/** What a schema library offers beside Standard Schema when it can describe itself. */
interface Describable {
  readonly jsonSchema?: { input(options: { target: "draft-2020-12" }): unknown };
}

/** JSON Schema of what a workflow takes; null when it takes anything or its schema cannot be described. */
export function inputSchemaOf({ schema }: AnyWorkflow): unknown {
  try {
    const described = (schema?.["~standard"] as Describable | undefined)?.jsonSchema?.input({
      target: "draft-2020-12",
    });
    // A library may give something that JSON cannot say: that must not fail the whole list.
    return described === undefined ? null : JSON.parse(JSON.stringify(described));
  } catch {
    return null;
  }
}
