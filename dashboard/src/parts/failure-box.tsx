import type { Failure } from "../api/types.ts";
import { rootOf } from "../models/step-cell.ts";
import { CopyButton } from "./copy-button.tsx";
import { Icon } from "./icon.tsx";
import { RunLink } from "./links.tsx";

/** A failure told by its root: the wrapping around it comes after. */
export function FailureBox({
  failure,
  children,
}: {
  readonly failure: Failure;
  readonly children?: React.ReactNode;
}) {
  const root = rootOf(failure);
  return (
    <div className="notice tone-bad min-w-0">
      <div className="flex items-start gap-2">
        <span className="toned mt-0.5">
          <Icon name="warning" size={16} />
        </span>
        <div className="min-w-0 flex-1">
          <p className="font-medium break-words whitespace-pre-wrap">
            <span className="toned">{root.name}</span>: {root.message}
          </p>
          {root !== failure && <p className="mt-0.5 break-words text-muted">{failure.message}</p>}
          {failure.child && (
            <p className="mt-0.5">
              Child run <RunLink id={failure.child.runId} /> is {failure.child.status}.
            </p>
          )}
          <div className="mt-2 flex flex-wrap gap-2">
            {children}
            <CopyButton text={stackOf(failure)} what="stack trace" label="Copy stack" />
          </div>
          <Stack failure={failure} />
        </div>
      </div>
    </div>
  );
}

export function Stack({ failure }: { readonly failure: Failure }) {
  if (failure.stack === undefined && failure.cause === undefined) return null;
  return (
    <details className="mt-2">
      <summary className="w-fit py-0.5 text-muted">Stack trace</summary>
      <pre className="mt-1 max-h-80 overflow-auto text-xs whitespace-pre-wrap">{stackOf(failure)}</pre>
    </details>
  );
}

function stackOf(failure: Failure): string {
  const own = failure.stack ?? `${failure.name}: ${failure.message}`;
  return failure.cause === undefined ? own : `${own}\ncaused by: ${stackOf(failure.cause)}`;
}
