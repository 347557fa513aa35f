import { useId } from "react";
import type { Field } from "../models/schema-form.ts";
import { JsonField } from "./json-field.tsx";

interface Props {
  readonly fields: readonly Field[];
  readonly values: Readonly<Record<string, string>>;
  readonly onChange: (values: Record<string, string>) => void;
}

/** One input for each field of a workflow's schema. */
export function SchemaFields({ fields, values, onChange }: Props) {
  return fields.map((field) => (
    <SchemaField
      key={field.name}
      field={field}
      value={values[field.name] ?? ""}
      onChange={(value) => onChange({ ...values, [field.name]: value })}
    />
  ));
}

interface FieldProps {
  readonly field: Field;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

function SchemaField({ field, value, onChange }: FieldProps) {
  const id = useId();
  const label = field.required ? field.label : `${field.label} (optional)`;
  if (field.input === "json") {
    return (
      <JsonField
        label={label}
        hint={field.hint ?? "JSON"}
        rows={Math.min(12, value.split("\n").length + 2)}
        value={value}
        onChange={onChange}
      />
    );
  }
  if (field.input === "checkbox") {
    return (
      <label className="flex items-center gap-2">
        <input
          type="checkbox"
          className="size-4"
          checked={value === "true"}
          onChange={(event) => onChange(String(event.target.checked))}
        />
        {label}
      </label>
    );
  }
  return (
    <div className="grid gap-1">
      <label htmlFor={id} className="font-medium">
        {label}
      </label>
      {field.input === "select" ? (
        <select id={id} className="field" value={value} onChange={(event) => onChange(event.target.value)}>
          <option value="">–</option>
          {field.options.map((option) => (
            <option key={option}>{option}</option>
          ))}
        </select>
      ) : (
        <input
          id={id}
          className="field"
          type={field.input}
          step={field.input === "number" ? "any" : undefined}
          required={field.filled}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
      {field.hint !== null && <p className="text-xs text-muted">{field.hint}</p>}
    </div>
  );
}
