import { Envelope, isEnvelope } from "../../../src/codec/envelope.js";
import type { Command } from "../../../src/core/connection.js";
import { toText } from "../../../src/core/text.js";
import type { SimProcess, World } from "./world.js";

/** What callers are answered with: which value it is. */
export interface Told {
  readonly id: number;
}

/** One run of a loader. */
export interface Run {
  readonly key: string;
  readonly process: SimProcess;
  /** Whether it runs under a lease. */
  readonly leased: boolean;
  /** When it looked at the source, counted in events. */
  readonly birth: number;
  readonly disturbances: number;
  ended: boolean;
}

/**
 * Everything that happens, in one order: each value was born when its loader began or its `set` arrived, and each delete
 * has its moment. What may never be seen is written down as a violation.
 */
export class History {
  readonly violations: string[] = [];
  readonly runs: Run[] = [];
  /** How often what was loaded was stored. */
  stored = 0;
  readonly #world: World;
  readonly #births = new Map<number, number>();
  /** Nothing that was born before may be seen in the store any more. */
  readonly #floors = new Map<string, number>();
  /** When each key was last written or deleted by its users. */
  readonly #changes = new Map<string, number>();
  #now = 0;
  #nextId = 0;

  constructor(world: World) {
    this.#world = world;
    world.onEffect = (process, commands) => this.#observe(process, commands);
  }

  newId(): number {
    return this.#nextId++;
  }

  begin(key: string, process: SimProcess, leased: boolean): { run: Run; id: number } {
    const run: Run = { key, process, leased, birth: ++this.#now, disturbances: process.disturbances, ended: false };
    if (leased) this.#checkAlone(run);
    this.runs.push(run);
    const id = this.newId();
    this.#births.set(id, run.birth);
    return { run, id };
  }

  /** Since when nothing older may be answered to who has seen this moment. */
  changedAt(key: string): number {
    return this.#changes.get(key) ?? 0;
  }

  checkAnswer(key: string, { id }: Told, since: number): void {
    const birth = this.#births.get(id) ?? 0;
    if (birth < since) this.violations.push(`${key}: answered with value ${id}, which a change had made obsolete`);
  }

  #observe(_process: SimProcess, commands: readonly Command[]): void {
    for (const [name, first, value, ...words] of commands) {
      const key = String(first);
      if (name === "UNLINK") this.#change(key);
      if (name === "SET" && !words.includes("NX")) {
        this.#births.set(idIn(value, key) ?? -1, this.#change(key));
      }
      if (name === "publish") this.#look(key);
    }
  }

  #change(key: string): number {
    const moment = ++this.#now;
    this.#changes.set(key, moment);
    this.#floors.set(key, moment);
    return moment;
  }

  #look(key: string): void {
    // The store answers within this call, as it is in memory.
    void this.#world.store.send([["GET", key]]).then(([stored]) => {
      const id = idIn(stored, key);
      if (id === undefined) return;
      const birth = this.#births.get(id) ?? 0;
      const floor = this.#floors.get(key) ?? 0;
      if (birth < floor) this.violations.push(`${key}: value ${id} of ${birth} was stored over what is of ${floor}`);
      this.#floors.set(key, Math.max(birth, floor));
      this.stored++;
    });
  }

  /** At most one load runs under a lease that nothing has voided. */
  #checkAlone(run: Run): void {
    for (const other of this.runs) {
      const voided = other.birth < this.changedAt(run.key) || other.process.disturbances > other.disturbances;
      const live =
        other.key === run.key && other.leased && !other.ended && other.process.state === "running" && !voided;
      if (live) this.violations.push(`${run.key}: two loads under a live lease`);
    }
  }
}

function idIn(stored: unknown, key: string): number | undefined {
  if (typeof stored !== "string" && !(stored instanceof Uint8Array)) return undefined;
  const payload = isEnvelope(stored) ? new Envelope(stored, key).payload : stored;
  return payload === undefined ? undefined : (JSON.parse(toText(payload)) as Told).id;
}
