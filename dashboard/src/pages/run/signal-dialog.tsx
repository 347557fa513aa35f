import { useId, useState } from "react";
import { sendSignal, useAction } from "../../api/actions.ts";
import type { RunDetail } from "../../api/types.ts";
import { ConfirmDialog } from "../../parts/dialog.tsx";
import { JsonField, jsonProblem } from "../../parts/json-field.tsx";
import { notify } from "../../parts/notices.tsx";

export function SignalDialog({ run, onClose }: { readonly run: RunDetail; readonly onClose: () => void }) {
  const awaited = run.waits
    .filter(({ kind }) => kind === "signal" || kind === "mutation")
    .map(({ name }) => name);
  const [name, setName] = useState(awaited[0] ?? "");
  const [payload, setPayload] = useState("");
  const [once] = useState(() => crypto.randomUUID());
  const listId = useId();
  const send = useAction(
    () => sendSignal(run.id, name, payload, once),
    () => {
      notify(`Signal "${name}" is the run's now.`);
      onClose();
    },
  );
  return (
    <ConfirmDialog
      title="Send a signal"
      action="Send"
      busy={send.isPending}
      disabled={name === "" || jsonProblem(payload) !== null}
      error={send.error}
      onConfirm={() => send.mutate()}
      onClose={onClose}
    >
      <label className="grid gap-1">
        <span className="font-medium">Name</span>
        <input
          className="field"
          required
          list={listId}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <span className="text-xs text-muted">
          {awaited.length === 0
            ? "It waits for none now; the signal is kept until it does."
            : `It waits for ${awaited.join(", ")}.`}
        </span>
      </label>
      <datalist id={listId}>
        {awaited.map((each) => (
          <option key={each} value={each} />
        ))}
      </datalist>
      <JsonField
        label="Payload"
        hint="JSON; empty for none."
        rows={5}
        value={payload}
        onChange={setPayload}
      />
    </ConfirmDialog>
  );
}
