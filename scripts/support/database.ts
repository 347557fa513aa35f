import pg from "pg";

/** From the environment; undefined when it is not set. */
export function readDatabaseUrl(): string | undefined {
  const url = process.env.DATABASE_URL;
  if (url === undefined || url === "") return undefined;
  if (/^postgres(ql)?:$/.test(URL.parse(url)?.protocol ?? "")) return url;
  throw new Error("DATABASE_URL is no connection string: postgres://user:password@host:5432/database");
}

export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: withPlainSslMode(url), application_name: "pawl" });
  client.on("error", () => {});
  try {
    await client.connect();
    return client;
  } catch (cause) {
    const { message, code } = cause as NodeJS.ErrnoException;
    throw new Error(`no connection to the database at ${client.host}:${client.port}: ${message || code}`, {
      cause,
    });
  }
}

/** pg takes all three for verify-full, and says so in seven lines each time. */
function withPlainSslMode(url: string): string {
  return url.replace(/([?&]sslmode=)(prefer|require|verify-ca)\b/, "$1verify-full");
}
