import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useLocation } from "wouter";
import { startBulk, tryBulk, useAction } from "../api/actions.ts";
import type { BulkTarget, BulkVerb } from "../api/types.ts";
import { formatCount } from "./count.ts";
import { ConfirmDialog } from "./dialog.tsx";

export const VERB_WORDS: Readonly<Record<BulkVerb, string>> = {
  cancel: "Cancel",
  pause: "Pause",
  resume: "Resume",
  revive: "Revive",
  rerun: "Rerun",
  discard: "Discard",
};

const CONSEQUENCES: Readonly<Record<BulkVerb, string>> = {
  cancel: "They end, with the children that they wait for. This cannot be undone.",
  pause: "They finish the turn that they are in, and are then held until somebody resumes them.",
  resume: "They go on where they were held.",
  revive:
    "They go on with their journals: what is completed stays so, and the step that failed has all its attempts again.",
  rerun: "A new run is made of each, from its beginning and with its input. The old ones stay as they are.",
  discard: "They leave the list of dead letters, and can still be revived one by one.",
};

const RATES = [1, 10, 50, 100];

interface Props {
  readonly verb: BulkVerb;
  readonly target: BulkTarget;
  readonly onClose: () => void;
}

/** Says how many runs it is about before anything is done, and then leads to its progress. */
export function BulkDialog({ verb, target, onClose }: Props) {
  const [, navigate] = useLocation();
  const [rate, setRate] = useState(10);
  const [note, setNote] = useState("");
  const [once] = useState(() => crypto.randomUUID());
  const dry = useQuery({
    queryKey: ["bulk", "dry", verb, target],
    queryFn: () => tryBulk({ verb, ...target }),
    gcTime: 0,
  });
  const start = useAction(
    () => startBulk({ verb, ...target, rate, ...(note.trim() === "" ? {} : { note: note.trim() }) }, once),
    ({ id }) => navigate(`/bulk/${id}`),
  );
  const count = dry.data?.matching;
  const words = count === undefined ? "runs" : `${formatCount(count)} ${count.count === 1 ? "run" : "runs"}`;
  return (
    <ConfirmDialog
      title={`${VERB_WORDS[verb]} ${words}?`}
      action={`${VERB_WORDS[verb]} ${words}`}
      danger={verb === "cancel" || verb === "discard"}
      busy={start.isPending || start.isSuccess}
      disabled={count === undefined || count.count === 0}
      error={start.error ?? dry.error}
      onConfirm={() => start.mutate()}
      onClose={onClose}
    >
      <p>{CONSEQUENCES[verb]}</p>
      <label className="grid gap-1">
        <span className="font-medium">At most</span>
        <select className="field" value={rate} onChange={(event) => setRate(Number(event.target.value))}>
          {RATES.map((each) => (
            <option key={each} value={each}>
              {each} a second
            </option>
          ))}
        </select>
      </label>
      <label className="grid gap-1">
        <span className="font-medium">Note</span>
        <input
          className="field"
          maxLength={2_000}
          placeholder="Why, for those who come after you"
          value={note}
          onChange={(event) => setNote(event.target.value)}
        />
      </label>
    </ConfirmDialog>
  );
}
