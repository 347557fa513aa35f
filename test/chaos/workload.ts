/** The traffic: starts runs and does to them what people do, while things break. Its choices follow from the seed. */
import { setTimeout as pause } from "node:timers/promises";
import type { Asked, Book } from "./book.ts";
import type { Answer, Client } from "./client.ts";
import { type Dice, diceFor, pick } from "./dice.ts";
import { GROUPS, SAMPLES } from "./samples.ts";

/** Above it, starts wait: a backlog that only grows would be no test of recovery. */
const MOST_UNFINISHED = 150;
/** So many requests are under way at once; a frozen worker holds some of them. */
const MOST_AT_ONCE = 16;
const PACE_MS = 60;
/** What is done to a run is done to one of the latest. */
const LATEST = 120;
/** So often a start without an answer is tried again while the storm lasts; the rest is for the healing. */
const TRIES = 3;

const CHOICES = Object.entries(SAMPLES).map(([name, sample]) => ({ name, sample, weight: sample.weight }));

interface Deed {
  readonly weight: number;
  /** `n` is different for every deed. */
  do(dice: Dice, n: number): Promise<unknown>;
}

export class Workload {
  readonly #client: Client;
  readonly #book: Book;
  readonly #seed: number;
  readonly #deeds: readonly Deed[];
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(client: Client, book: Book, seed: number) {
    this.#client = client;
    this.#book = book;
    this.#seed = seed;
    this.#deeds = [
      { weight: 30, do: (dice, n) => this.#start(dice, n) },
      { weight: 2, do: (dice, n) => this.#startBatch(dice, n) },
      { weight: 22, do: (dice, n) => this.#signal(dice, n) },
      { weight: 3, do: (dice, n) => this.#signalGroup(dice, n) },
      { weight: 4, do: (dice) => this.#cancel(dice, true) },
      { weight: 4, do: (dice) => this.#cancel(dice, false) },
      { weight: 4, do: (dice) => this.#move(dice, "pause") },
      { weight: 6, do: (dice) => this.#move(dice, "resume") },
      { weight: 3, do: (dice) => this.#revive(dice) },
      { weight: 3, do: (dice) => this.#rerun(dice) },
      { weight: 8, do: (dice) => this.#read(dice) },
    ];
  }

  /** Until `isOver`; then what is under way is waited for. `unfinished` says how many runs there are to do. */
  async keepBusy(isOver: () => boolean, unfinished: () => number): Promise<void> {
    for (let n = 1; !isOver(); n++) {
      const dice = diceFor(this.#seed, "traffic", n);
      const deed = pick(dice, this.#deeds);
      const isFull = this.#deeds.indexOf(deed) < 2 && unfinished() > MOST_UNFINISHED;
      if (!isFull && this.#underWay.size < MOST_AT_ONCE) {
        const done = deed.do(dice, n).finally(() => this.#underWay.delete(done));
        this.#underWay.add(done);
      }
      await pause(PACE_MS);
    }
    await Promise.all(this.#underWay);
  }

  /** Asks again for what had no answer. */
  async settleStarts(): Promise<void> {
    for (const one of this.#book.asked.filter(({ ids }) => ids.size === 0)) await this.#ask(one);
  }

  async #start(dice: Dice, n: number): Promise<void> {
    const { name, sample } = pick(dice, CHOICES);
    const input = sample.input(dice, n);
    // Asked once more after an answer, it must be the same run.
    const answers = dice(4) === 0 ? 2 : 1;
    const names = sample.partner === undefined ? [name] : [name, sample.partner];
    const asked = names.map((workflow) => ({
      workflow,
      input,
      key: `${workflow} ${n}`,
      ids: new Set<string>(),
    }));
    this.#book.asked.push(...asked);
    await Promise.all(asked.map((one) => this.#insist(one, answers)));
  }

  async #insist(one: Asked, answers: number): Promise<void> {
    let answered = 0;
    for (let tries = 0; tries < TRIES && answered < answers; tries++)
      if ((await this.#ask(one)).outcome === "ok") answered += 1;
  }

  async #ask({ workflow, input, key, ids }: Asked): Promise<Answer> {
    const answer = await this.#client.post("start", `/api/workflows/${workflow}/runs`, { input }, key);
    if (answer.outcome === "ok") ids.add((answer.body as { id: string }).id);
    return answer;
  }

  async #startBatch(dice: Dice, n: number): Promise<void> {
    const batch = Array.from({ length: 2 + dice(18) }, (_, i) => ({
      workflow: "chain",
      input: SAMPLES.chain?.input(dice, n),
      key: `batch ${n} ${i}`,
      ids: new Set<string>(),
    }));
    this.#book.asked.push(...batch);
    const runs = batch.map(({ input, key }) => ({ input, idempotencyKey: key }));
    const answer = await this.#client.post("start batch", "/api/workflows/chain/runs:batch", { runs });
    if (answer.outcome !== "ok") return;
    const { runs: started } = answer.body as { runs: { id: string }[] };
    started.forEach(({ id }, i) => {
      batch[i]?.ids.add(id);
    });
  }

  /** One of the latest that there are; undefined when that one has no answer yet, or is not to be touched. */
  #target(
    dice: Dice,
    isMeant: (workflow: string) => boolean = () => true,
  ): { id: string; workflow: string } | undefined {
    const latest = this.#book.asked.slice(-LATEST).filter(({ workflow }) => isMeant(workflow));
    const chosen = latest[dice(Math.max(1, latest.length))];
    const [id] = chosen?.ids ?? [];
    return chosen === undefined || id === undefined ? undefined : { id, workflow: chosen.workflow };
  }

  async #move(dice: Dice, verb: "pause" | "resume"): Promise<void> {
    const run = this.#target(dice);
    if (run !== undefined) await this.#client.post(verb, `/api/runs/${run.id}/${verb}`);
  }

  async #signal(dice: Dice, n: number): Promise<void> {
    const run = this.#target(dice, (workflow) => workflow === "approval");
    if (run === undefined) return;
    const id = `signal ${n}`;
    // Some are sent twice at the same time: they must arrive once.
    const times = dice(3) === 0 ? 2 : 1;
    await Promise.all(Array.from({ length: times }, () => this.#sendSignal(run.id, id)));
  }

  async #sendSignal(runId: string, id: string): Promise<void> {
    const path = `/api/runs/${runId}/signals/approve`;
    const { outcome } = await this.#client.post("signal", path, { id, payload: id });
    if (outcome === "ok") this.#book.signal(runId, id);
  }

  async #signalGroup(dice: Dice, n: number): Promise<void> {
    const path = `/api/groups/group%20${dice(GROUPS)}/signals/go`;
    await this.#client.post("signal group", path, { id: `signal ${n}` });
  }

  async #cancel(dice: Dice, plain: boolean): Promise<void> {
    const run = this.#target(dice, (workflow) => SAMPLES[workflow]?.partner === undefined);
    if (run === undefined) return;
    const kind = plain ? "cancel" : "cancel with compensate";
    const body = plain ? undefined : { compensate: true };
    this.#book.cancel(run.id, plain, false);
    const { outcome } = await this.#client.post(kind, `/api/runs/${run.id}/cancel`, body);
    if (outcome === "ok") this.#book.cancel(run.id, plain, true);
  }

  async #revive(dice: Dice): Promise<void> {
    const run = this.#target(dice, (workflow) => workflow === "fragile");
    if (run === undefined) return;
    this.#book.mended.add(run.id);
    await this.#client.post("revive", `/api/dead-letters/${run.id}/revive`);
  }

  async #rerun(dice: Dice): Promise<void> {
    const run = this.#target(dice, (workflow) => SAMPLES[workflow]?.partner === undefined);
    if (run === undefined) return;
    await this.#client.post("rerun", `/api/runs/${run.id}/rerun`, {}, `rerun of ${run.id}`);
  }

  async #read(dice: Dice): Promise<void> {
    const run = this.#target(dice);
    const paths = ["", "/journal", "/result", "/children", "/state"].map(
      (part) => `/api/runs/${run?.id}${part}`,
    );
    const lists = ["/api/runs?limit=50", "/api/dead-letters", "/api/events", "/healthz"];
    const choices = run === undefined ? lists : [...paths, ...lists];
    await this.#client.get("read", choices[dice(choices.length)] as string);
  }
}
