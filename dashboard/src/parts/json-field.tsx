import { useId } from "react";

interface Props {
  readonly label: string;
  readonly hint?: string;
  readonly value: string;
  readonly rows?: number;
  readonly onChange: (text: string) => void;
}

/** A text area for JSON, which says what is wrong as it is typed. */
export function JsonField({ label, hint, value, rows = 10, onChange }: Props) {
  const id = useId();
  const problem = jsonProblem(value);
  return (
    <div className="grid gap-1">
      <label htmlFor={id} className="font-medium">
        {label}
      </label>
      <textarea
        id={id}
        className="field font-mono text-[0.8125rem] leading-relaxed"
        rows={rows}
        spellCheck={false}
        aria-invalid={problem !== null}
        aria-describedby={`${id}-hint`}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
      <p id={`${id}-hint`} className={`text-xs ${problem === null ? "text-muted" : "text-bad"}`}>
        {problem ?? hint}
      </p>
    </div>
  );
}

/** Null for JSON, and for nothing at all. */
export function jsonProblem(text: string): string | null {
  if (text.trim() === "") return null;
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
