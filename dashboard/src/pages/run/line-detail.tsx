import { useLine } from "../../api/queries.ts";
import { memberText } from "../../models/json-text.ts";
import { FailureBox } from "../../parts/failure-box.tsx";
import { Broken, Loading } from "../../parts/page.tsx";
import { Payload } from "../../parts/payload.tsx";

/** One entry of the journal with its payload, which is fetched when it is looked at. */
export function LineDetail({ runId, seq }: { readonly runId: string; readonly seq: number }) {
  const line = useLine(runId, seq);
  if (line.error !== null) return <Broken error={line.error} missing="There is no such entry." />;
  if (line.data === undefined) return <Loading />;
  const { body, text } = line.data;
  const output = memberText(text, "output");
  return (
    <div className="grid min-w-0 gap-3">
      {body.failure !== null && <FailureBox failure={body.failure} />}
      {(body.failure === null || output !== "null") && (
        <Payload title="Output" text={output} fileName={`${runId}-${seq}.json`} meta={body.outputMeta} />
      )}
    </div>
  );
}
