import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LoaderContext } from "../../../src/client/client.js";
import type { HerdOptions } from "../../../src/client/herd/options.js";
import { History, type Told } from "./history.js";
import { SimProcess, World } from "./world.js";

const KEYS = ["a", "b"] as const;
const PROCESSES = 3;
const WAIT_MS = 1_000;
const HARD_TIMEOUT_MS = 2_000;
/** A caller waits, and loads; and starts anew at most three times when its lease is lost under a load that fails. */
const BOUND_MS = 4 * (WAIT_MS + HARD_TIMEOUT_MS + 2_000);

type Ending = "value" | "throws" | "undefined" | "not stored";

interface Load {
  readonly ms: number;
  readonly ending: Ending;
  /** Ends when its signal fires. */
  readonly obedient: boolean;
}

type Step =
  | { do: "call"; process: number; key: string; load: Load; ttlMs: number | null; patienceMs: number | undefined }
  | { do: "many"; process: number; load: Load; ttlMs: number | null }
  | { do: "delete" | "set"; process: number; key: string }
  | { do: "crash"; process: number }
  | { do: "freeze" | "thaw"; process: number }
  | { do: "skew" | "cut"; process: number; ms: number }
  | { do: "pass"; ms: number };

const process = fc.nat(PROCESSES - 1);
const key = fc.constantFrom(...KEYS);
const ttlMs = fc.constantFrom(300, 1_000, 5_000, null);
const load = fc.record<Load>({
  ms: fc.constantFrom(0, 10, 100, 400, 1_500, Infinity),
  ending: fc.constantFrom<Ending>("value", "value", "value", "value", "throws", "undefined", "not stored"),
  obedient: fc.boolean(),
});
const patienceMs = fc.option(fc.constantFrom(0, 50, 600), { nil: undefined, freq: 4 });
const call = fc.record({ do: fc.constant("call" as const), process, key, load, ttlMs, patienceMs });

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: call },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("many" as const), process, load, ttlMs }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("delete" as const, "set" as const), process, key }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("freeze" as const, "thaw" as const), process }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const), process }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("skew" as const), process, ms: fc.integer({ min: -3_000, max: 3_000 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("cut" as const), process, ms: fc.integer({ min: 1, max: 2_000 }) }),
  },
  { weight: 14, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(1, 5, 30, 200, 1_100) }) },
);

const options = fc.record<HerdOptions>({
  grace: fc.constantFrom(0, 1, 60),
  lease: fc.constant(0.6),
  waitTimeout: fc.constant(WAIT_MS / 1_000),
  beta: fc.constantFrom(0, 1, 5),
  jitter: fc.constantFrom(0, 0.5),
  retryAfter: fc.constantFrom(0, 0.4),
  background: fc.boolean(),
  hardTimeout: fc.constant(HARD_TIMEOUT_MS / 1_000),
});

/** One run of the model: what the steps do, and what is to be seen of it. */
class Model {
  readonly history: History;
  readonly world: World;
  readonly #processes: readonly SimProcess[];
  /** When each process last learned that its own change was made. */
  readonly #known = new Map<string, number>();
  readonly #pending = new Set<string>();

  constructor(seed: number, settings: readonly HerdOptions[]) {
    this.world = new World(seed);
    this.history = new History(this.world);
    this.#processes = settings.map((one) => new SimProcess(this.world, one));
    for (const one of this.#processes) {
      one.events.on("claim", ({ key, won }) => won && this.history.hear(one, key));
    }
  }

  async take(step: Step): Promise<void> {
    if (step.do === "pass") return this.world.advance(step.ms);
    const one = this.#processes[step.process];
    if (!one || one.state === "crashed") return;
    switch (step.do) {
      case "crash":
        one.state = "crashed";
        return;
      case "freeze":
        one.freeze();
        return;
      case "thaw":
        one.thaw();
        return;
      case "skew":
        one.skewMs = step.ms;
        return;
      case "cut":
        one.cut(step.ms);
        return;
      default:
        if (one.state === "running") this.#use(step, one);
    }
  }

  /** Lets every process that has not crashed come to an end. What is left to say against it. */
  async end(): Promise<readonly string[]> {
    for (const one of this.#processes) one.thaw();
    await this.world.advance(BOUND_MS);
    const crashed = this.#processes.flatMap(({ state }, i) => (state === "crashed" ? [i] : []));
    const left = [...this.#pending].filter((name) => !crashed.some((i) => name.startsWith(`${i} `)));
    const strange = this.#processes.flatMap(({ errors }) => errors).filter((error) => !isExpected(error));
    return [...this.history.violations, ...left.map((name) => `no answer: ${name}`), ...strange.map(String)];
  }

  #use(step: Extract<Step, { do: "call" | "many" | "delete" | "set" }>, one: SimProcess): void {
    if (step.do === "call") this.#call(step, one);
    else if (step.do === "many") this.#many(step, one);
    else this.#change(step, one);
  }

  #call({ process, key, load, ttlMs, patienceMs }: Extract<Step, { do: "call" }>, one: SimProcess): void {
    const since = this.#known.get(`${process} ${key}`) ?? 0;
    const patience = new AbortController();
    if (patienceMs !== undefined) void one.clock.sleep(patienceMs).then(() => patience.abort(new Expected("left")));
    const loader = (context: LoaderContext) => this.#load(key, one, load, context);
    this.#follow(
      `${process} ${key}`,
      one.client.getOrSet(key, loader, { ttlMs, signal: patience.signal }),
      (answer) => {
        if (answer !== undefined) this.history.checkAnswer(key, answer as Told, since);
      },
    );
  }

  #many({ process, load, ttlMs }: Extract<Step, { do: "many" }>, one: SimProcess): void {
    const loader = async (keys: readonly string[], context: LoaderContext) =>
      new Map(await Promise.all(keys.map(async (key) => [key, await this.#load(key, one, load, context)] as const)));
    const since = new Map(KEYS.map((key) => [key as string, this.#known.get(`${process} ${key}`) ?? 0]));
    this.#follow(`${process} many`, one.client.getOrSetMany(KEYS, loader, { ttlMs }), (answers) => {
      for (const [key, answer] of answers) this.history.checkAnswer(key, answer as Told, since.get(key) ?? 0);
    });
  }

  async #load(key: string, one: SimProcess, load: Load, context: LoaderContext): Promise<unknown> {
    const { run, id } = this.history.begin(key, one);
    // A load that does not stop when told is nobody's any more.
    context.signal.addEventListener("abort", () => {
      run.ended = true;
    });
    try {
      await one.clock.sleep(load.ms, load.obedient ? context.signal : undefined);
      if (load.obedient && context.signal.aborted) throw new Expected("told to stop");
      if (load.ending === "throws") throw new Expected("the loader's own");
      if (load.ending === "not stored") context.doNotStore();
      return load.ending === "undefined" ? undefined : { id };
    } finally {
      run.ended = true;
    }
  }

  #change({ do: kind, key, process }: Extract<Step, { do: "delete" | "set" }>, one: SimProcess): void {
    const work: Promise<unknown> =
      kind === "delete"
        ? one.client.delete([key])
        : one.client.set(key, { id: this.history.newId() }, { ttlMs: 5_000 });
    this.#follow(`${process} ${kind}`, work, () => {
      this.#known.set(`${process} ${key}`, this.history.ownChange(one, key));
    });
  }

  #follow<T>(what: string, work: Promise<T>, done: (answer: T) => void): void {
    const name = `${what} at ${this.world.nowMs} (${this.#pending.size})`;
    this.#pending.add(name);
    work.then(done).then(
      () => this.#pending.delete(name),
      (error: unknown) => {
        this.#pending.delete(name);
        if (!isExpected(error)) this.history.violations.push(`${name} failed: ${String(error)}`);
      },
    );
  }
}

/** What a loader or an impatient caller fails with. */
class Expected extends Error {}

function isExpected(error: unknown): boolean {
  const name = error instanceof Error ? error.name : "";
  return error instanceof Expected || name === "TimeoutError" || name === "LoaderTimeoutError";
}

describe("the herd protocol, whatever happens in whatever order", () => {
  it("keeps its promises", async () => {
    let stored = 0;
    const steps = fc.array(step, { minLength: 5, maxLength: 60, size: "max" });
    const settings = fc.array(options, { minLength: PROCESSES, maxLength: PROCESSES });
    await fc.assert(
      fc.asyncProperty(fc.integer(), settings, steps, async (seed, own, taken) => {
        const model = new Model(seed, own);
        for (const one of taken) await model.take(one);
        expect(await model.end()).toEqual([]);
        stored += model.history.stored;
      }),
      { numRuns: 600 },
    );
    // Most runs get as far as storing something, or nothing would have been put to the test.
    expect(stored).toBeGreaterThan(600);
  }, 60_000);
});
