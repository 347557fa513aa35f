/** JSON to look into: a level opens when it is asked for, so that a large one costs nothing until then. */
import { useMemo, useState } from "react";
import { type JsonNode, parseJsonText } from "../models/json-text.ts";

const OPEN_LEVELS = 2;
const OPEN_ITEMS = 30;
const SHOWN_ITEMS = 200;
const LONG_TEXT = 2_000;

export function JsonView({ text }: { readonly text: string }) {
  const node = useMemo(() => parseJsonText(text), [text]);
  return (
    <div className="overflow-x-auto font-mono text-[0.8125rem] leading-relaxed">
      <JsonValue node={node} level={0} />
    </div>
  );
}

function JsonValue({ node, level }: { readonly node: JsonNode; readonly level: number }) {
  if (node.kind === "object") {
    const entries = node.members.map(([key, value]) => ({ label: JSON.stringify(key), value }));
    return <Level entries={entries} brackets="{}" level={level} />;
  }
  if (node.kind === "array") {
    const entries = node.items.map((value, i) => ({ label: String(i), value }));
    return <Level entries={entries} brackets="[]" level={level} />;
  }
  if (node.kind === "string") return <Text text={node.text} />;
  return <span className={node.kind === "number" ? "text-busy" : "text-hold"}>{node.text}</span>;
}

function Text({ text }: { readonly text: string }) {
  const [whole, setWhole] = useState(false);
  const cut = text.length > LONG_TEXT && !whole;
  return (
    <span className="break-words whitespace-pre-wrap text-ok">
      {JSON.stringify(cut ? text.slice(0, LONG_TEXT) : text)}
      {cut && (
        <button type="button" className="link ml-2 font-sans" onClick={() => setWhole(true)}>
          all {text.length} characters
        </button>
      )}
    </span>
  );
}

interface Entry {
  readonly label: string;
  readonly value: JsonNode;
}

function Level({
  entries,
  brackets,
  level,
}: {
  readonly entries: readonly Entry[];
  readonly brackets: string;
  readonly level: number;
}) {
  const [open, setOpen] = useState(level < OPEN_LEVELS && entries.length <= OPEN_ITEMS);
  const [shown, setShown] = useState(SHOWN_ITEMS);
  if (entries.length === 0) return <span>{brackets}</span>;
  const noun = brackets === "{}" ? "fields" : "items";
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="w-fit text-muted select-none hover:text-ink">
        {brackets[0]} {entries.length} {entries.length === 1 ? noun.slice(0, -1) : noun} {brackets[1]}
      </summary>
      {open && (
        <ul className="border-l border-line pl-4">
          {entries.slice(0, shown).map(({ label, value }) => (
            <li
              key={label}
              className={isScalar(value) ? "" : "[&>details]:inline-block [&>details]:align-top"}
            >
              <span className="text-muted">{label}: </span>
              <JsonValue node={value} level={level + 1} />
            </li>
          ))}
          {shown < entries.length && (
            <li>
              <button type="button" className="link font-sans" onClick={() => setShown(shown + SHOWN_ITEMS)}>
                {entries.length - shown} more
              </button>
            </li>
          )}
        </ul>
      )}
    </details>
  );
}

function isScalar(node: JsonNode): boolean {
  return node.kind !== "object" && node.kind !== "array";
}
