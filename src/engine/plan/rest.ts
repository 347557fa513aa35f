/** How the engine waits for the user's code without a clock of its own. */
export interface Rest {
  /** Resolves once every microtask that can run has run. */
  settled(): Promise<void>;
  /** Like `settled`, but also gives real time to whatever the code wrongly awaits outside a step. */
  grace(): Promise<void>;
}
