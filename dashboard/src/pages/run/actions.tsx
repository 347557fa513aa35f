import { useState } from "react";
import { discardRun, pauseRun, resumeRun, reviveRun, useAction } from "../../api/actions.ts";
import { useMayWrite } from "../../api/session.tsx";
import type { RunDetail } from "../../api/types.ts";
import { curlOf } from "../../models/curl.ts";
import { allows } from "../../models/status.ts";
import { CopyButton } from "../../parts/copy-button.tsx";
import { notify } from "../../parts/notices.tsx";
import { useKeys } from "../../parts/use-keys.ts";
import { CancelDialog } from "./cancel-dialog.tsx";
import { RerunDialog } from "./rerun-dialog.tsx";
import { SignalDialog } from "./signal-dialog.tsx";

type Open = "rerun" | "edit" | "cancel" | "signal" | null;

/** What can be done to a run as it is now. */
export function RunActions({ run, text }: { readonly run: RunDetail; readonly text: string }) {
  const [open, setOpen] = useState<Open>(null);
  const mayWrite = useMayWrite();
  const close = () => setOpen(null);
  useKeys({
    r: () => mayWrite && setOpen("rerun"),
    c: () => mayWrite && allows("cancel", run.status) && setOpen("cancel"),
  });
  const path = `/api/runs/${run.id}`;
  return (
    <>
      {mayWrite && <Moves run={run} onCancel={() => setOpen("cancel")} onSignal={() => setOpen("signal")} />}
      {mayWrite && (
        <>
          <button type="button" className="button" onClick={() => setOpen("rerun")}>
            Rerun
          </button>
          <button type="button" className="button" onClick={() => setOpen("edit")}>
            Edit input and rerun
          </button>
        </>
      )}
      <CopyButton text={curlOf(location.origin, "GET", path)} what="curl line" label="Copy as curl" />
      {open === "cancel" && <CancelDialog id={run.id} onClose={close} />}
      {open === "signal" && <SignalDialog run={run} onClose={close} />}
      {open === "rerun" && <RerunDialog run={run} text={text} onClose={close} />}
      {open === "edit" && <RerunDialog run={run} text={text} edit onClose={close} />}
    </>
  );
}

interface MovesProps {
  readonly run: RunDetail;
  readonly onCancel: () => void;
  readonly onSignal: () => void;
}

function Moves({ run, onCancel, onSignal }: MovesProps) {
  const { id, status } = run;
  return (
    <>
      {allows("revive", status) && (
        <OneClick word="Revive" done="The run goes on." act={() => reviveRun(id)} main />
      )}
      {allows("revive", status) && run.discardedAt === null && (
        <OneClick word="Discard" done="Discarded. It can still be revived." act={() => discardRun(id)} />
      )}
      {allows("resume", status) && <OneClick word="Resume" done="Resumed." act={() => resumeRun(id)} main />}
      {allows("pause", status) && run.pausedAt === null && (
        <OneClick word="Pause" done="Paused." act={() => pauseRun(id)} />
      )}
      {allows("signal", status) && (
        <button type="button" className="button" onClick={onSignal}>
          Send signal
        </button>
      )}
      {allows("cancel", status) && (
        <button type="button" className="button button-bad" onClick={onCancel}>
          Cancel
        </button>
      )}
    </>
  );
}

interface OneClickProps {
  readonly word: string;
  readonly done: string;
  readonly act: () => Promise<unknown>;
  readonly main?: boolean;
}

/** Done at once: what it does can be taken back, or is harmless a second time. */
function OneClick({ word, done, act, main = false }: OneClickProps) {
  const { mutate, isPending } = useAction(act, () => notify(done));
  return (
    <button
      type="button"
      className={`button ${main ? "button-main" : ""}`}
      disabled={isPending}
      onClick={() => mutate(undefined, { onError: (error) => notify(error.message) })}
    >
      {word}
    </button>
  );
}
