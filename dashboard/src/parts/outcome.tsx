import type { Tone } from "../models/status.ts";
import type { RowState } from "../models/waterfall.ts";
import { Icon } from "./icon.tsx";

interface Look {
  readonly word: string;
  readonly icon: Parameters<typeof Icon>[0]["name"];
  readonly tone: Tone;
}

const LOOKS: Readonly<Record<RowState, Look>> = {
  completed: { word: "Completed", icon: "check", tone: "ok" },
  failed: { word: "Failed", icon: "cross", tone: "bad" },
  "timed out": { word: "Timed out", icon: "clock", tone: "hold" },
  unknown: { word: "Unknown", icon: "warning", tone: "hold" },
  retrying: { word: "Retrying", icon: "undo", tone: "hold" },
  running: { word: "Running", icon: "play", tone: "busy" },
  waiting: { word: "Waiting", icon: "ear", tone: "wait" },
  queued: { word: "Queued", icon: "clock", tone: "busy" },
  revived: { word: "Revived", icon: "undo", tone: "ok" },
};

export function OutcomeWord({ outcome }: { readonly outcome: RowState | "timed_out" }) {
  const { word, icon, tone } = LOOKS[outcome === "timed_out" ? "timed out" : outcome];
  return (
    <span className={`tone-${tone} toned inline-flex items-center gap-1.5 whitespace-nowrap`}>
      <Icon name={icon} size={13} />
      {word}
    </span>
  );
}
