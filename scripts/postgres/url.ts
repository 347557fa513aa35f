export function connectionUrl(port: number, password: string, database = "pawl"): string {
  return `postgres://postgres:${password}@127.0.0.1:${port}/${database}`;
}
