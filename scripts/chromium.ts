/**
 * `npm run chromium`: sees to it that there is a Chromium for the tests of the dashboard. Debian's is installed where that is possible,
 * which is as root, as in most containers.
 */
import { spawnSync } from "node:child_process";
import { findChromium } from "./support/chromium.ts";
import { runCommand } from "./support/command.ts";

await runCommand(async () => {
  if (findChromium() !== undefined) return;
  const isRoot = process.getuid?.() === 0;
  if (isRoot && spawnSync("apt-get", ["--version"]).status === 0) {
    console.log("pawl: installing Debian's Chromium for the tests of the dashboard");
    aptGet("update", "-qq");
    aptGet("install", "-y", "-qq", "--no-install-recommends", "chromium");
  }
  if (findChromium() === undefined) {
    throw new Error(
      "the tests of the dashboard need a Chromium: `apt-get install chromium`, or set CHROMIUM to the path of yours",
    );
  }
});

function aptGet(...args: string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const { status, stderr } = spawnSync("apt-get", args, { env, encoding: "utf8" });
  if (status !== 0)
    throw new Error(`Debian's Chromium could not be installed: ${stderr.trim().split("\n").at(-1)}`);
}
