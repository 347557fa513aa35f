/** A form from a workflow's input schema, as far as a form can say it; for the rest there is JSON. */

export interface Field {
  readonly name: string;
  readonly label: string;
  readonly hint: string | null;
  readonly required: boolean;
  /** An empty text does not do. */
  readonly filled: boolean;
  readonly input: "text" | "email" | "url" | "number" | "checkbox" | "select" | "json";
  readonly options: readonly string[];
  readonly initial: string;
}

interface Schema {
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly minLength?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}

/** Null for what is not an object with named fields. */
export function fieldsOf(given: unknown): Field[] | null {
  const schema = asSchema(given);
  if (schema?.type !== "object" || schema.properties === undefined) return null;
  const required = new Set(schema.required);
  return Object.entries(schema.properties).map(([name, property]) =>
    fieldOf(name, property, required.has(name)),
  );
}

function fieldOf(name: string, schema: Schema, required: boolean): Field {
  const options = schema.enum?.every((each) => typeof each === "string") ? (schema.enum as string[]) : [];
  const input = inputOf(schema, options);
  const initial =
    schema.default !== undefined ? textOf(schema.default, input) : initialOf(schema, input, required);
  const filled = required && (input !== "text" || (schema.minLength ?? 0) > 0);
  return {
    name,
    label: schema.title ?? name,
    hint: schema.description ?? null,
    required,
    filled,
    input,
    options,
    initial,
  };
}

function inputOf(schema: Schema, options: readonly string[]): Field["input"] {
  if (options.length > 0) return "select";
  if (schema.type === "integer" || schema.type === "number") return "number";
  if (schema.type === "boolean") return "checkbox";
  if (schema.type !== "string") return "json";
  if (schema.format === "email") return "email";
  return schema.format === "uri" ? "url" : "text";
}

function initialOf(schema: Schema, input: Field["input"], required: boolean): string {
  if (!required) return "";
  return input === "json" ? JSON.stringify(exampleOf(schema), null, 2) : "";
}

function textOf(value: unknown, input: Field["input"]): string {
  return input === "json" ? JSON.stringify(value, null, 2) : String(value);
}

/** Something of the right shape to begin with: all fields, empty. */
export function exampleOf(given: unknown): unknown {
  const schema = asSchema(given);
  if (schema === null) return null;
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return schema.enum[0] ?? null;
  if (schema.anyOf !== undefined) return exampleOf(schema.anyOf[0]);
  switch (typeof schema.type === "string" ? schema.type : schema.type?.[0]) {
    case "object":
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([name, each]) => [name, exampleOf(each)]),
      );
    case "array":
      return schema.items === undefined ? [] : [exampleOf(schema.items)];
    case "string":
      return "";
    case "integer":
    case "number":
      return Math.max(0, schema.minimum ?? 0, (schema.exclusiveMinimum ?? -1) + 1);
    case "boolean":
      return false;
    default:
      return null;
  }
}

/** The input as JSON text, numbers as they were typed. Throws a sentence that names the field which is no JSON. */
export function inputText(fields: readonly Field[], values: Readonly<Record<string, string>>): string {
  const members = fields.flatMap((field) => {
    const value = values[field.name] ?? "";
    if (value === "" && (!field.required || field.input !== "text")) return [];
    return [`${JSON.stringify(field.name)}:${valueText(field, value)}`];
  });
  return `{${members.join(",")}}`;
}

function valueText(field: Field, value: string): string {
  if (field.input === "checkbox") return value === "true" ? "true" : "false";
  if (field.input !== "json" && field.input !== "number") return JSON.stringify(value);
  try {
    JSON.parse(value);
    return value;
  } catch (error) {
    throw new Error(`${field.label}: ${(error as Error).message}`, { cause: error });
  }
}

function asSchema(given: unknown): Schema | null {
  return typeof given === "object" && given !== null ? (given as Schema) : null;
}
