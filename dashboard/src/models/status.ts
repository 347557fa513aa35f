/** What a status is called, and how it looks: a word, an icon and a tone, so that none of them carries it alone. */
export type Tone = "ok" | "busy" | "wait" | "hold" | "bad" | "off";

export const STATUSES = [
  "ready",
  "running",
  "waiting",
  "paused",
  "completed",
  "cancelled",
  "failed",
  "dead",
] as const;
export type Status = (typeof STATUSES)[number];

export interface Look {
  readonly word: string;
  readonly icon: IconName;
  readonly tone: Tone;
}

export type IconName =
  | "clock"
  | "play"
  | "moon"
  | "ear"
  | "pause"
  | "check"
  | "stop"
  | "cross"
  | "skull"
  | "undo";

const LOOKS: Readonly<Record<Status, Look>> = {
  ready: { word: "Ready", icon: "clock", tone: "busy" },
  running: { word: "Running", icon: "play", tone: "busy" },
  waiting: { word: "Waiting", icon: "ear", tone: "wait" },
  paused: { word: "Paused", icon: "pause", tone: "hold" },
  completed: { word: "Completed", icon: "check", tone: "ok" },
  cancelled: { word: "Cancelled", icon: "stop", tone: "off" },
  failed: { word: "Failed", icon: "cross", tone: "bad" },
  dead: { word: "Dead", icon: "skull", tone: "bad" },
};

/** Of a run that waits for time alone, and of one that rests before another attempt. */
export const SLEEPING: Look = { word: "Sleeping", icon: "moon", tone: "wait" };
export const RETRYING: Look = { word: "Retrying", icon: "undo", tone: "hold" };

export function lookOf(status: Status): Look {
  return LOOKS[status];
}

/** True for what nothing but a person can move. */
export function isOver(status: Status): boolean {
  return status === "completed" || status === "cancelled" || status === "failed" || status === "dead";
}

/** What a person may do to a run, by its status. */
export const ACTIONS = {
  cancel: ["ready", "running", "waiting", "paused"],
  pause: ["ready", "running", "waiting"],
  resume: ["paused"],
  signal: ["ready", "running", "waiting", "paused", "dead"],
  revive: ["failed", "dead"],
} as const satisfies Record<string, readonly Status[]>;

export function allows(action: keyof typeof ACTIONS, status: Status): boolean {
  return (ACTIONS[action] as readonly Status[]).includes(status);
}
