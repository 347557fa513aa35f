import { useRunState } from "../../api/queries.ts";
import type { RunDetail } from "../../api/types.ts";
import { memberText } from "../../models/json-text.ts";
import { Payload } from "../../parts/payload.tsx";

interface Props {
  readonly run: RunDetail;
  /** The run as it was sent. */
  readonly text: string;
  readonly live: boolean;
}

export function PayloadsTab({ run, text, live }: Props) {
  const state = useRunState(run.id, live);
  const stateText = state.data === undefined ? null : memberText(state.data.text, "state");
  return (
    <div className="grid gap-4">
      <div className="panel p-4">
        <Payload
          title="Input"
          text={memberText(text, "input")}
          fileName={`${run.id}-input.json`}
          meta={run.inputMeta}
        />
      </div>
      <div className="panel p-4">
        <Payload
          title="Output"
          text={memberText(text, "output")}
          fileName={`${run.id}-output.json`}
          meta={run.outputMeta}
        />
      </div>
      {stateText !== null && stateText !== "{}" && (
        <div className="panel p-4">
          <Payload title="State" text={stateText} fileName={`${run.id}-state.json`} />
        </div>
      )}
    </div>
  );
}
