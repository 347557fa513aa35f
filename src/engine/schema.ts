import type { StandardSchemaV1 } from "@standard-schema/spec";

export type Checked =
  | { readonly problems: readonly string[] }
  | { readonly problems: null; readonly value: unknown };

/** What a Standard Schema says of a value: its problems, each with its path, or the value as the schema gives it. */
export async function check(schema: StandardSchemaV1 | undefined, value: unknown): Promise<Checked> {
  if (schema === undefined) return { problems: null, value };
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined) return { problems: null, value: result.value };
  const problems = result.issues.map(({ path, message }) => {
    const at = path?.map((part) => (typeof part === "object" ? String(part.key) : String(part))).join(".");
    return at ? `${at}: ${message}` : message;
  });
  return { problems };
}
