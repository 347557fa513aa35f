import { type Look, lookOf, type Status } from "../models/status.ts";
import { Icon } from "./icon.tsx";

export function StatusBadge({ status, look }: { readonly status: Status; readonly look?: Look }) {
  const { word, icon, tone } = look ?? lookOf(status);
  return (
    <span className={`badge tone-${tone}`} data-status={status}>
      <Icon name={icon} size={13} />
      {word}
    </span>
  );
}
