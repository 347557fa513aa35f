import { formatInstant, formatRelative, formatSpan } from "../models/time.ts";
import { useNow, zoneSetting } from "./clock.ts";

interface Props {
  readonly at: string;
  /** As a distance from now, or as a time of day. */
  readonly as?: "relative" | "exact";
}

/** A time: in the viewer's zone, and in UTC when pointed at. */
export function Instant({ at, as = "relative" }: Props) {
  const now = useNow();
  const zone = zoneSetting.use();
  const millis = Date.parse(at);
  const exact = formatInstant(millis, zone, now);
  const title = zone === "utc" ? at : `${exact}, ${formatInstant(millis, "utc", now)}`;
  return (
    <time dateTime={at} title={title} className="whitespace-nowrap">
      {as === "exact" ? exact : formatRelative(millis, now)}
    </time>
  );
}

/** How long something took, or has been taking until now. */
export function Span({ from, to }: { readonly from: string; readonly to: string | null }) {
  const now = useNow();
  return (
    <span className="whitespace-nowrap">
      {formatSpan((to === null ? now : Date.parse(to)) - Date.parse(from))}
    </span>
  );
}
