import { Link } from "wouter";
import { useWorkflows } from "../api/queries.ts";
import { curlOf } from "../models/curl.ts";
import { exampleOf } from "../models/schema-form.ts";
import { CopyButton } from "./copy-button.tsx";

/** What stands where no run has ever been: how to make the first, which then appears by itself. */
export function FirstRun() {
  const { data } = useWorkflows();
  const workflow = data?.workflows[0];
  if (workflow === undefined) return null;
  const path = `/api/workflows/${encodeURIComponent(workflow.name)}/runs`;
  const body = JSON.stringify({ input: exampleOf(workflow.inputSchema) });
  const line = curlOf(location.origin, "POST", path, body);
  return (
    <section className="panel grid gap-4 p-6">
      <div>
        <h2 className="text-base font-semibold">Waiting for the first run…</h2>
        <p className="text-muted">Start one in any of these ways. It appears here by itself.</p>
      </div>
      <Way title="From this page">
        <Link
          href={`/workflows/${encodeURIComponent(workflow.name)}/start`}
          className="button button-main w-fit"
        >
          Start {workflow.name}
        </Link>
      </Way>
      <Way title="From a shell">
        <Code text={line} what="curl line" />
      </Way>
      <Way title="From TypeScript">
        <Code
          text={`await fetch("${location.origin}${path}", {
  method: "POST",
  headers: { authorization: \`Bearer \${token}\`, "content-type": "application/json" },
  body: ${JSON.stringify(body)},
});`}
          what="TypeScript"
        />
      </Way>
    </section>
  );
}

function Way({ title, children }: { readonly title: string; readonly children: React.ReactNode }) {
  return (
    <div className="grid gap-1">
      <h3 className="font-medium">{title}</h3>
      {children}
    </div>
  );
}

function Code({ text, what }: { readonly text: string; readonly what: string }) {
  return (
    <div className="flex items-start gap-2 rounded-md border border-line bg-sunken p-3">
      <code className="min-w-0 flex-1 text-xs break-words whitespace-pre-wrap">{text}</code>
      <CopyButton text={text} what={what} />
    </div>
  );
}
