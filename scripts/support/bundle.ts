import { build } from "esbuild";

/** A worker as one ES module, as workerd loads it: from a file, or from source that imports relative to `resolveDir`. */
export async function bundleWorker(
  entry: string | { readonly contents: string; readonly resolveDir: string },
): Promise<string> {
  const { outputFiles } = await build({
    ...(typeof entry === "string" ? { entryPoints: [entry] } : { stdin: entry }),
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "import"],
    external: ["cloudflare:*", "node:*"],
    logLevel: "silent",
  });
  return outputFiles[0]?.text ?? "";
}
