import { useEffect, useState } from "react";
import { Icon } from "./icon.tsx";
import { notify } from "./notices.tsx";

interface Props {
  readonly text: string;
  /** What is copied, such as "run id". */
  readonly what: string;
  readonly label?: string;
}

export function CopyButton({ text, what, label }: Props) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1_500);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async () => {
    const done = await copyText(text);
    setCopied(done);
    notify(done ? `Copied the ${what}.` : `This browser does not let pages copy. The ${what}: ${text}`);
  };
  const className =
    label === undefined
      ? "inline-grid size-6 place-items-center rounded text-muted hover:bg-hover"
      : "button";
  return (
    <button
      type="button"
      className={className}
      onClick={copy}
      aria-label={label === undefined ? `Copy the ${what}` : undefined}
    >
      <Icon name={copied ? "check" : "copy"} size={13} />
      {label}
    </button>
  );
}

/** The clipboard is there on HTTPS and localhost only; elsewhere a selection can be copied. */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelection(text);
  }
}

function copySelection(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
