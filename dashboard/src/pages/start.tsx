import { type FormEvent, useState } from "react";
import { useLocation } from "wouter";
import { startRun, useAction } from "../api/actions.ts";
import { useWorkflows } from "../api/queries.ts";
import type { Workflow } from "../api/types.ts";
import { exampleOf, fieldsOf, inputText } from "../models/schema-form.ts";
import { ErrorText } from "../parts/dialog.tsx";
import { JsonField, jsonProblem } from "../parts/json-field.tsx";
import { Broken, Empty, Loading, Page } from "../parts/page.tsx";
import { SchemaFields } from "../parts/schema-fields.tsx";

export function StartPage({ name }: { readonly name: string }) {
  const { data, error } = useWorkflows();
  const versions = data?.workflows.filter((each) => each.name === name) ?? [];
  return (
    <Page title={`Start ${name}`}>
      {data === undefined &&
        (error === null ? <Loading /> : <Broken error={error} missing="There is no such list." />)}
      {data !== undefined && versions.length === 0 && (
        <Empty title={`This deployment knows no workflow ${name}`} />
      )}
      {versions.length > 0 && <StartForm versions={versions} />}
    </Page>
  );
}

/** The newest version stands first. */
function StartForm({ versions }: { readonly versions: readonly Workflow[] }) {
  const [, navigate] = useLocation();
  const [version, setVersion] = useState(versions[0]?.version);
  const workflow = versions.find((each) => each.version === version) ?? (versions[0] as Workflow);
  const fields = fieldsOf(workflow.inputSchema);
  const [asJson, setAsJson] = useState(fields === null);
  const [values, setValues] = useState<Record<string, string>>(() => initialValues(workflow));
  const [json, setJson] = useState(() => JSON.stringify(exampleOf(workflow.inputSchema), null, 2));
  const [tags, setTags] = useState("");
  const [once, setOnce] = useState(() => crypto.randomUUID());
  const start = useAction(
    (input: string) =>
      startRun(
        {
          workflow: workflow.name,
          version: workflow.version,
          input,
          tags: tags.split(/[\s,]+/).filter(Boolean),
        },
        once,
      ),
    ({ id }) => navigate(`/runs/${id}`),
  );
  const [problem, setProblem] = useState<Error | null>(null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setProblem(null);
    // Another input is another start: the key of one that was refused must not be taken for it.
    if (start.isError) setOnce(crypto.randomUUID());
    try {
      start.mutate(asJson || fields === null ? json.trim() || "null" : inputText(fields, values));
    } catch (error) {
      setProblem(error as Error);
    }
  };
  const shown = problem ?? start.error;
  return (
    <form onSubmit={submit} className="panel grid max-w-2xl gap-5 p-5">
      {versions.length > 1 && (
        <label className="grid gap-1">
          <span className="font-medium">Version</span>
          <select
            className="field"
            value={workflow.version}
            onChange={(event) => setVersion(Number(event.target.value))}
          >
            {versions.map((each) => (
              <option key={each.version}>{each.version}</option>
            ))}
          </select>
        </label>
      )}
      {fields !== null && (
        <label className="flex items-center gap-2">
          <input type="checkbox" className="size-4" checked={asJson} onChange={() => setAsJson(!asJson)} />
          Write the input as JSON
        </label>
      )}
      {asJson || fields === null ? (
        <JsonField label="Input" hint="It must fit the workflow's schema." value={json} onChange={setJson} />
      ) : (
        <SchemaFields fields={fields} values={values} onChange={setValues} />
      )}
      <label className="grid gap-1">
        <span className="font-medium">Tags</span>
        <input
          className="field"
          placeholder="web eu"
          value={tags}
          onChange={(event) => setTags(event.target.value)}
        />
        <span className="text-xs text-muted">Texts to find it by, with spaces between.</span>
      </label>
      {shown !== null && <ErrorText error={shown} />}
      <button
        type="submit"
        className="button button-main w-fit"
        disabled={start.isPending || (asJson && jsonProblem(json) !== null)}
      >
        Start run
      </button>
    </form>
  );
}

function initialValues(workflow: Workflow): Record<string, string> {
  return Object.fromEntries(
    (fieldsOf(workflow.inputSchema) ?? []).map(({ name, initial }) => [name, initial]),
  );
}
