import type { IconName } from "../models/status.ts";

/** Lines in a square of 16 by 16. */
const PATHS: Readonly<Record<IconName | "copy" | "external" | "warning", string>> = {
  clock: "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8M8 4.5V8l2.4 1.6",
  play: "M8 1.8a6.2 6.2 0 1 0 6.2 6.2M6.4 5.4 10.6 8l-4.2 2.6Z",
  moon: "M13.4 9.6A5.8 5.8 0 0 1 6.4 2.6a5.8 5.8 0 1 0 7 7Z",
  ear: "M8 1.8v2M8 12.2v2M1.8 8h2M12.2 8h2M10.5 8a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0",
  pause: "M5.5 3v10M10.5 3v10",
  check: "m3 8.6 3.2 3.2L13 4.6",
  stop: "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8M3.7 12.3l8.6-8.6",
  cross: "m4 4 8 8M12 4l-8 8",
  skull: "M5.5 13.5v-2A5 5 0 1 1 13 7a5 5 0 0 1-2.5 4.5v2ZM6.2 7.4v.1M9.8 7.4v.1M8 10v.4",
  undo: "M3 6.5h6.5a3.5 3.5 0 0 1 0 7H6M3 6.5l3-3M3 6.5l3 3",
  copy: "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8Z",
  external: "M6 3H3v10h10v-3M9 2.5h4.5V7M13.5 2.5 7.5 8.5",
  warning: "M8 2 14.5 13.5h-13ZM8 6.5v3.2M8 11.6v.1",
};

export function Icon({ name, size = 14 }: { readonly name: keyof typeof PATHS; readonly size?: number }) {
  return (
    <svg aria-hidden="true" width={size} height={size} viewBox="0 0 16 16" className="shrink-0">
      <path
        d={PATHS[name]}
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}
