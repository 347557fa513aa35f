import { useMayWrite } from "../../api/session.tsx";
import type { BulkVerb, Group } from "../../api/types.ts";
import { formatNumber } from "../../parts/count.ts";
import { Instant } from "../../parts/instant.tsx";
import { Sparkline } from "../../parts/sparkline.tsx";

interface Props {
  readonly group: Group;
  readonly open: boolean;
  readonly onOpen: (open: boolean) => void;
  readonly onBulk: (verb: BulkVerb) => void;
}

/** Dead letters that look alike: where they failed, with what, since when, and what can be done to all of them. */
export function GroupCard({ group, open, onOpen, onBulk }: Props) {
  const mayWrite = useMayWrite();
  const recent = group.hours.reduce((sum, each) => sum + each, 0);
  return (
    <li className="panel grid gap-x-6 gap-y-2 p-4 md:grid-cols-[minmax(0,1fr)_auto]">
      <div className="min-w-0">
        <h2 className="font-semibold break-words">
          <span className="text-bad">{group.name}</span>: {group.message}
        </h2>
        <p className="mt-0.5 break-words text-muted">
          {group.workflow}
          {group.step !== null && ` / ${group.step}`} · first <Instant at={group.firstAt} />, last{" "}
          <Instant at={group.lastAt} />
        </p>
        <p className="mt-1 flex flex-wrap items-center gap-2">
          <span className="text-muted">{versions(group.versions)}</span>
          <Deployment group={group} />
        </p>
      </div>
      <div className="flex items-center gap-4 md:flex-col md:items-end md:gap-1">
        <p>
          <span className="text-lg font-semibold">{formatNumber(group.count)}</span>{" "}
          <span className="text-muted">{kinds(group)}</span>
        </p>
        <Sparkline values={group.hours} label={`${recent} in the last 24 hours`} />
      </div>
      <div className="flex flex-wrap gap-2 md:col-span-2">
        <button type="button" className="button" aria-expanded={open} onClick={() => onOpen(!open)}>
          {open ? "Hide the runs" : "Show the runs"}
        </button>
        {mayWrite && (
          <>
            <button type="button" className="button button-main" onClick={() => onBulk("revive")}>
              Revive {formatNumber(group.count)}
            </button>
            <button type="button" className="button" onClick={() => onBulk("rerun")}>
              Rerun {formatNumber(group.count)} from the start
            </button>
            <button type="button" className="button button-bad" onClick={() => onBulk("discard")}>
              Discard {formatNumber(group.count)}
            </button>
          </>
        )}
      </div>
    </li>
  );
}

/** Whether trying again has a chance to go differently. */
function Deployment({ group }: { readonly group: Group }) {
  if (!group.registered)
    return <span className="badge tone-hold">This deployment does not know the workflow</span>;
  if (group.newerVersion === null) return null;
  return <span className="badge tone-ok">Version {group.newerVersion} has been deployed since</span>;
}

function versions(numbers: readonly number[]): string {
  return `${numbers.length === 1 ? "Version" : "Versions"} ${numbers.join(", ")}`;
}

function kinds({ failed, dead }: Group): string {
  if (dead === 0) return "failed";
  return failed === 0 ? "dead" : `${formatNumber(failed)} failed, ${formatNumber(dead)} dead`;
}
