import { useState } from "react";
import { useMayWrite } from "../api/session.tsx";
import type { BulkTarget, BulkVerb, Count } from "../api/types.ts";
import { BulkDialog, VERB_WORDS } from "./bulk-dialog.tsx";
import { formatCount } from "./count.ts";

interface Props {
  readonly ids: readonly string[];
  readonly verbs: readonly BulkVerb[];
  /** All that match the filter, where there is one. */
  readonly everything: BulkTarget | null;
  readonly matching: Count | undefined;
  readonly onClear: () => void;
}

/** What can be done to the rows that are selected, or to all that match. */
export function SelectionBar({ ids, verbs, everything, matching, onClear }: Props) {
  const [all, setAll] = useState(false);
  const [verb, setVerb] = useState<BulkVerb | null>(null);
  const mayWrite = useMayWrite();
  if (!mayWrite || (ids.length === 0 && !all)) return null;
  const target = all && everything !== null ? everything : { ids };
  const clear = () => {
    setAll(false);
    onClear();
  };
  return (
    <section
      aria-label="Selected runs"
      className="panel sticky bottom-2 z-10 flex flex-wrap items-center gap-2 px-3 py-2 shadow-lg"
    >
      <p role="status" className="mr-2">
        {all ? "All that match are selected" : `${ids.length} selected on this page`}
      </p>
      {!all && everything !== null && (
        <button type="button" className="button button-quiet text-accent" onClick={() => setAll(true)}>
          Select all {matching === undefined ? "" : formatCount(matching)} that match
        </button>
      )}
      {verbs.map((each) => (
        <button key={each} type="button" className="button" onClick={() => setVerb(each)}>
          {VERB_WORDS[each]}
        </button>
      ))}
      <button type="button" className="button button-quiet ml-auto" onClick={clear}>
        Clear selection
      </button>
      {verb !== null && <BulkDialog verb={verb} target={target} onClose={() => setVerb(null)} />}
    </section>
  );
}
