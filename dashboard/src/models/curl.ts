/** The request as a shell would send it; whoever pastes it has a token of their own. */
export function curlOf(origin: string, method: string, path: string, json?: string): string {
  const body = json === undefined ? [] : ["-H 'content-type: application/json'", `-d ${quoted(json)}`];
  const verb = method === "GET" ? [] : [`-X ${method}`];
  return [
    "curl",
    ...verb,
    quoted(`${origin}${path}`),
    '-H "authorization: Bearer $PAWL_TOKEN"',
    ...body,
  ].join(" ");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
