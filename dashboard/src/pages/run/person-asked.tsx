import { useState } from "react";
import { resolveStep, useAction } from "../../api/actions.ts";
import { useMayWrite } from "../../api/session.tsx";
import type { RunDetail } from "../../api/types.ts";
import { isOver } from "../../models/status.ts";
import { ConfirmDialog } from "../../parts/dialog.tsx";
import { JsonField, jsonProblem } from "../../parts/json-field.tsx";
import { notify } from "../../parts/notices.tsx";

/** At-most-once steps that were cut off: only a person can find out how far they came. */
export function PersonAsked({ run }: { readonly run: RunDetail }) {
  const mayWrite = useMayWrite();
  const [open, setOpen] = useState<string | null>(null);
  const asked = isOver(run.status) ? [] : run.waits.filter(({ kind }) => kind === "person");
  return asked.map(({ key, name }) => (
    <section
      key={key}
      aria-label={`Step ${name} needs a word`}
      className="notice tone-hold flex flex-wrap items-center gap-3"
    >
      <p className="min-w-0 flex-1">
        <strong className="toned">Nobody knows what came of {name}.</strong> It runs at most once and was cut
        off. Find out, and say so here.
      </p>
      {mayWrite && (
        <button type="button" className="button" onClick={() => setOpen(key)}>
          Say what came of it
        </button>
      )}
      {open === key && <ResolveDialog id={run.id} step={key} onClose={() => setOpen(null)} />}
    </section>
  ));
}

function ResolveDialog({
  id,
  step,
  onClose,
}: {
  readonly id: string;
  readonly step: string;
  readonly onClose: () => void;
}) {
  const [done, setDone] = useState(true);
  const [output, setOutput] = useState("");
  const resolve = useAction(
    () => resolveStep(id, step, done ? output : null),
    () => {
      notify("The run goes on.");
      onClose();
    },
  );
  return (
    <ConfirmDialog
      title={`What came of ${step}?`}
      action={done ? "It was done" : "Perform it again"}
      busy={resolve.isPending}
      disabled={done && jsonProblem(output) !== null}
      error={resolve.error}
      onConfirm={() => resolve.mutate()}
      onClose={onClose}
    >
      <fieldset className="grid gap-2">
        <legend className="visually-hidden">What came of it</legend>
        <label className="flex items-center gap-2">
          <input
            type="radio"
            name="outcome"
            className="size-4"
            checked={done}
            onChange={() => setDone(true)}
          />
          It was done
        </label>
        <label className="flex items-center gap-2">
          <input
            type="radio"
            name="outcome"
            className="size-4"
            checked={!done}
            onChange={() => setDone(false)}
          />
          It was not done: perform it again
        </label>
      </fieldset>
      {done && (
        <JsonField
          label="What it returned"
          hint="JSON; empty for nothing."
          rows={4}
          value={output}
          onChange={setOutput}
        />
      )}
    </ConfirmDialog>
  );
}
