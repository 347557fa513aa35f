import { useState } from "react";
import { cancelRun, useAction } from "../../api/actions.ts";
import { ConfirmDialog } from "../../parts/dialog.tsx";
import { notify } from "../../parts/notices.tsx";

interface Props {
  readonly id: string;
  readonly onClose: () => void;
}

export function CancelDialog({ id, onClose }: Props) {
  const [compensate, setCompensate] = useState(false);
  const cancel = useAction(
    () => cancelRun(id, compensate),
    () => {
      notify("Cancelled.");
      onClose();
    },
  );
  return (
    <ConfirmDialog
      title="Cancel this run?"
      action="Cancel the run"
      danger
      busy={cancel.isPending}
      error={cancel.error}
      onConfirm={() => cancel.mutate()}
      onClose={onClose}
    >
      <p>
        It ends, with the children that it waits for. A step that is being performed is told to stop. This
        cannot be undone.
      </p>
      <label className="flex items-center gap-2">
        <input
          type="checkbox"
          className="size-4"
          checked={compensate}
          onChange={() => setCompensate(!compensate)}
        />
        First undo what it did, where its steps say how
      </label>
    </ConfirmDialog>
  );
}
