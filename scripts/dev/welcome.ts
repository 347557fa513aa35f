/** What the terminal shows once everything is up. */
export interface Welcome {
  readonly url: string;
  readonly token: string;
  readonly stateDir: string;
  /** Of Postgres; usually within the other. */
  readonly dataDir: string;
  readonly seconds: number;
}

const order = {
  input: {
    orderId: "order-1001",
    customer: "Ada Lovelace",
    email: "ada@example.com",
    lines: [{ sku: "PWL-01", quantity: 2, unitPrice: 1999 }],
  },
};

export function welcome({ url, token, stateDir, dataDir, seconds }: Welcome): string {
  const folders = dataDir.startsWith(stateDir) ? stateDir : `${stateDir} and ${dataDir}`;
  return `
Pawl is up after ${seconds.toFixed(1)} s.

  API        ${url}
  Dashboard  ${url}/dashboard/#token=${encodeURIComponent(token)}
  Token      ${token}
  Data       ${folders}

Start a workflow with a real order:

${curl(url, token)}

Ctrl-C stops everything; the next start goes on where this one ended.
`;
}

function curl(url: string, token: string): string {
  const parts = [
    `curl -X POST ${url}/api/workflows/fulfil-order/runs`,
    `-H ${shellQuote(`authorization: Bearer ${token}`)}`,
    "-H 'content-type: application/json'",
    `-d ${shellQuote(JSON.stringify(order))}`,
  ];
  return parts.join(" ");
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
