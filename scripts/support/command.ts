/** Runs a command-line script: a failure is one line on stderr and exit code 1. */
export async function runCommand(command: () => Promise<void>): Promise<void> {
  try {
    await command();
  } catch (error) {
    console.error(`pawl: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
