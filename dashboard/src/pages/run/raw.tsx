import type { RunDetail } from "../../api/types.ts";
import { curlOf } from "../../models/curl.ts";
import { CopyButton } from "../../parts/copy-button.tsx";
import { Payload } from "../../parts/payload.tsx";

export function RawTab({ run, text }: { readonly run: RunDetail; readonly text: string }) {
  const path = `/api/runs/${run.id}`;
  return (
    <div className="panel grid gap-4 p-4">
      <Payload title="The run as the API answers it" text={text} fileName={`${run.id}.json`} />
      <div className="flex flex-wrap gap-2">
        <CopyButton
          text={curlOf(location.origin, "GET", path)}
          what="curl line"
          label="Copy curl for the run"
        />
        <CopyButton
          text={curlOf(location.origin, "GET", `${path}/journal`)}
          what="curl line"
          label="Copy curl for its journal"
        />
      </div>
    </div>
  );
}
