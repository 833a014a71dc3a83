import { isEnvelope, readEnvelope } from "../../../src/codec/envelope.js";
import type { Argument, Command } from "../../../src/core/connection.js";
import { toText } from "../../../src/core/text.js";
import { COMMAND_TIMEOUT_MS, type SimProcess, type World } from "./world.js";

/** What callers are answered with: which value it is. */
export interface Told {
  readonly id: number;
}

/** When a lease was won, and how often its holder had been frozen or cut off by then. */
interface Win {
  readonly moment: number;
  readonly atMs: number;
  readonly disturbances: number;
}

interface Heard {
  readonly turn: number;
  readonly win: Win;
}

/** One run of a loader. */
export interface Run {
  readonly key: string;
  readonly process: SimProcess;
  /** When it looked at the source, counted in events. */
  readonly birth: number;
  /** The lease that it runs under; absent without one, and where it can't be told which. */
  readonly win: Win | undefined;
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
  readonly #own = new Map<SimProcess, Map<string, number>>();
  readonly #heard = new Map<SimProcess, Map<string, Heard>>();
  /** Leases won, by process and key, of which the process has not heard. */
  readonly #wins = new Map<SimProcess, Map<string, Win[]>>();
  #now = 0;
  #nextId = 0;

  constructor(world: World) {
    this.#world = world;
    world.onEffect = (process, commands) => this.#observe(process, commands);
  }

  newId(): number {
    return this.#nextId++;
  }

  /** A process has heard that it has a lease. Answers come in the order of the questions, if they come. */
  hear(process: SimProcess, key: string): void {
    const wins = this.#winsOf(process, key);
    const lost = wins.findIndex(({ atMs }) => this.#world.nowMs - atMs < COMMAND_TIMEOUT_MS);
    const [win] = wins.splice(0, lost + 1).slice(-1);
    const heard = this.#heard.get(process) ?? new Map<string, Heard>();
    if (win) this.#heard.set(process, heard.set(key, { turn: this.#world.turn, win }));
  }

  begin(key: string, process: SimProcess): { run: Run; id: number } {
    const run: Run = { key, process, birth: ++this.#now, win: this.#takeWin(process, key), ended: false };
    this.#checkAlone(run);
    this.runs.push(run);
    const id = this.newId();
    this.#births.set(id, run.birth);
    return { run, id };
  }

  /** When the process's own last change of the key arrived. */
  ownChange(process: SimProcess, key: string): number {
    return this.#own.get(process)?.get(key) ?? 0;
  }

  checkAnswer(key: string, { id }: Told, since: number): void {
    const birth = this.#births.get(id) ?? 0;
    if (birth < since) this.violations.push(`${key}: answered with value ${id}, which a change had made obsolete`);
  }

  #observe(process: SimProcess, commands: readonly Command[]): void {
    for (const [name, first, value, ...more] of commands) {
      const key = String(first);
      const claims = name === "SET" && more.includes("NX");
      if (name === "UNLINK") this.#change(process, key);
      else if (claims) this.#look(process, key, readEnvelope(value ?? "", key).token);
      else if (name === "SET") this.#births.set(idIn(value, key) ?? -1, this.#change(process, key));
      else if (name === "claim") this.#look(process, key, more[0]);
      else if (name === "publish") this.#look(process, key, undefined);
    }
  }

  #change(process: SimProcess, key: string): number {
    const moment = ++this.#now;
    this.#changes.set(key, moment);
    this.#own.set(process, (this.#own.get(process) ?? new Map<string, number>()).set(key, moment));
    this.#floors.set(key, moment);
    return moment;
  }

  /** What the store has now; whether it is leased to this token. */
  #look(process: SimProcess, key: string, token: Argument | undefined): void {
    const moment = ++this.#now;
    // The store answers within this turn, as it is in memory.
    void this.#world.store.send([["GET", key]]).then(([stored = null]) => {
      if (
        typeof token === "string" &&
        isBytes(stored) &&
        isEnvelope(stored) &&
        readEnvelope(stored, key).token === token
      ) {
        this.#winsOf(process, key).push({ moment, atMs: this.#world.nowMs, disturbances: process.disturbances });
      }
      this.#checkStored(key, idIn(stored, key));
    });
  }

  #winsOf(process: SimProcess, key: string): Win[] {
    const wins = this.#wins.get(process) ?? new Map<string, Win[]>();
    const ofKey = wins.get(key) ?? [];
    this.#wins.set(process, wins.set(key, ofKey));
    return ofKey;
  }

  /** The lease that was won in this very turn: a load under a lease begins with the answer that won it. */
  #takeWin(process: SimProcess, key: string): Win | undefined {
    const heard = this.#heard.get(process)?.get(key);
    this.#heard.get(process)?.delete(key);
    return heard?.turn === this.#world.turn ? heard.win : undefined;
  }

  #checkStored(key: string, id: number | undefined): void {
    if (id === undefined) return;
    const birth = this.#births.get(id) ?? 0;
    const floor = this.#floors.get(key) ?? 0;
    if (birth < floor) this.violations.push(`${key}: value ${id} of ${birth} was stored over what is of ${floor}`);
    this.#floors.set(key, Math.max(birth, floor));
    this.stored++;
  }

  /** At most one load runs under a lease that nothing has voided. */
  #checkAlone(run: Run): void {
    const isLive = ({ key, process, ended, win }: Run): boolean =>
      !ended &&
      process.state === "running" &&
      process.disturbances === win?.disturbances &&
      win.moment > (this.#changes.get(key) ?? 0);
    const others = this.runs.filter((other) => other.key === run.key && isLive(other));
    if (isLive(run) && others.length > 0) this.violations.push(`${run.key}: two loads under a live lease`);
  }
}

function isBytes(stored: unknown): stored is string | Uint8Array {
  return typeof stored === "string" || stored instanceof Uint8Array;
}

function idIn(stored: unknown, key: string): number | undefined {
  if (!isBytes(stored)) return undefined;
  const payload = isEnvelope(stored) ? readEnvelope(stored, key).payload : stored;
  return payload === undefined ? undefined : (JSON.parse(toText(payload)) as Told).id;
}
