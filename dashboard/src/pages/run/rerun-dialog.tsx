import { useState } from "react";
import { useLocation } from "wouter";
import { rerunRun, useAction } from "../../api/actions.ts";
import { useWorkflows } from "../../api/queries.ts";
import type { RunDetail } from "../../api/types.ts";
import { memberText, parseJsonText, prettyJson } from "../../models/json-text.ts";
import { ConfirmDialog } from "../../parts/dialog.tsx";
import { JsonField, jsonProblem } from "../../parts/json-field.tsx";
import { notify } from "../../parts/notices.tsx";

/** Larger inputs are edited elsewhere. */
const EDITABLE = 200_000;

interface Props {
  readonly run: RunDetail;
  /** The run as it was sent. */
  readonly text: string;
  readonly edit?: boolean;
  /** A step's key: what was done before it is reused. */
  readonly from?: string;
  readonly onClose: () => void;
}

export function RerunDialog({ run, text, edit = false, from, onClose }: Props) {
  const [, navigate] = useLocation();
  const [editing, setEditing] = useState(edit);
  const [input, setInput] = useState(() => editableInput(text));
  const [version, setVersion] = useState<number | null>(null);
  const [once] = useState(() => crypto.randomUUID());
  const rerun = useAction(
    () =>
      rerunRun(
        run.id,
        {
          ...(editing ? { input } : {}),
          ...(from === undefined ? {} : { from }),
          ...(version === null || editing ? {} : { version }),
        },
        once,
      ),
    ({ id }) => {
      notify("A new run was made.");
      navigate(`/runs/${id}`);
      onClose();
    },
  );
  const title = from === undefined ? "Rerun" : `Rerun from ${from}`;
  return (
    <ConfirmDialog
      title={edit ? "Edit the input and rerun" : title}
      action="Make the new run"
      busy={rerun.isPending}
      disabled={editing && (input.trim() === "" || jsonProblem(input) !== null)}
      error={rerun.error}
      wide={editing}
      onConfirm={() => rerun.mutate()}
      onClose={onClose}
    >
      <p>
        {from === undefined
          ? "A new run does everything from the beginning. This one stays as it is."
          : `A new run reuses what was done before ${from}, and goes on from there. This one stays as it is.`}
      </p>
      {from !== undefined && (
        <label className="flex items-center gap-2">
          <input type="checkbox" className="size-4" checked={editing} onChange={() => setEditing(!editing)} />
          Edit the input. What is reused was made of the old one.
        </label>
      )}
      {from !== undefined && !editing && <VersionSelect run={run} version={version} onChange={setVersion} />}
      {editing && (
        <JsonField
          label="Input"
          rows={16}
          hint="It must fit the workflow's schema."
          value={input}
          onChange={setInput}
        />
      )}
    </ConfirmDialog>
  );
}

interface VersionProps {
  readonly run: RunDetail;
  readonly version: number | null;
  readonly onChange: (version: number | null) => void;
}

/** Fixed code may be in a newer version. */
function VersionSelect({ run, version, onChange }: VersionProps) {
  const { data } = useWorkflows();
  const versions =
    data?.workflows.filter(({ name }) => name === run.workflow).map((each) => each.version) ?? [];
  if (versions.every((each) => each === run.version)) return null;
  return (
    <label className="grid gap-1">
      <span className="font-medium">Version</span>
      <select
        className="field"
        value={version ?? ""}
        onChange={(event) => onChange(event.target.value === "" ? null : Number(event.target.value))}
      >
        <option value="">as this run, {run.version}</option>
        {versions.map((each) => (
          <option key={each} value={each}>
            {each}
          </option>
        ))}
      </select>
    </label>
  );
}

function editableInput(text: string): string {
  const input = memberText(text, "input") ?? "null";
  return input.length > EDITABLE ? "" : prettyJson(parseJsonText(input));
}
