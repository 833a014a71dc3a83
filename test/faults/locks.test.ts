import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { command } from "../support/command.js";
import { bin, build, output, root } from "../support/project.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";

const TTL_MS = 300;

/**
 * A process that takes the lock again and again, holds it for a while, and says when it had it. The clock is that of the
 * machine, which all processes read alike. `held` are the first and the last moment at which the signal had not fired.
 */
const HOLDER = `
  import { createCache, iovalkey } from ${JSON.stringify(pathToFileURL(join(root, "dist/index.js")).href)};

  const [location, transport] = process.argv.slice(1);
  const connectionFactory = transport === "glide" ? undefined : iovalkey();
  const cache = createCache({ location, connectionFactory, keyPrefix: "faults", logger: false });
  const now = () => Number(process.hrtime.bigint() / 1_000n);
  const turn = () => new Promise((resolve) => setTimeout(resolve, 2));
  for (;;) {
    const called = now();
    const lock = await cache
      .lock("job", { ttl: "${TTL_MS}ms", waitTimeout: "30s", retryEvery: "5ms", renew: true })
      .catch(() => undefined);
    if (!lock) {
      await turn();
      continue;
    }
    const taken = now();
    let last;
    console.log(JSON.stringify({ what: "taken", called, taken, fencing: lock.fencing }));
    for (let turns = 0; turns < 250; turns++) {
      const moment = now();
      if (lock.signal.aborted) break;
      last = moment;
      await turn();
    }
    const lost = lock.signal.aborted;
    await lock.release().catch(() => {});
    if (last) console.log(JSON.stringify({ what: "held", from: taken, to: last, fencing: lock.fencing, lost }));
  }
`;

/** Moments are microseconds. */
interface Taken {
  readonly what: "taken";
  readonly called: number;
  readonly taken: number;
  readonly fencing: number;
}

interface Held {
  readonly what: "held";
  readonly from: number;
  readonly to: number;
  readonly fencing: number;
  readonly lost: boolean;
}

class Holder implements AsyncDisposable {
  readonly said: (Taken | Held)[] = [];
  readonly #child: ChildProcess;

  constructor(location: string, transport: string) {
    const args = ["--input-type=module", "--eval", HOLDER, location, transport];
    this.#child = spawn(join(bin, "node"), args, { stdio: ["ignore", "pipe", "inherit"] });
    const { stdout } = this.#child;
    if (!stdout) throw new Error("the process has no standard output");
    createInterface({ input: stdout }).on("line", (line) => this.said.push(JSON.parse(line)));
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}

const all = <T extends Taken | Held>(holders: readonly Holder[], what: T["what"]): T[] =>
  holders.flatMap(({ said }) => said.filter((one): one is T => one.what === what));

/** Two holders at one time, and for how many milliseconds. */
function overlaps(holders: readonly Holder[]): { ms: number; first: Held; second: Held }[] {
  const held = all<Held>(holders, "held").sort((one, other) => one.from - other.from);
  return held.flatMap((first, i) =>
    held
      .slice(i + 1)
      .filter((second) => second.from < first.to)
      .map((second) => ({ ms: (Math.min(first.to, second.to) - second.from) / 1_000, first, second })),
  );
}

/** Of two calls, one of which began when the other had ended, the later one has the larger number. */
function shrunk(holders: readonly Holder[]): [Taken, Taken][] {
  const taken = all<Taken>(holders, "taken");
  return taken.flatMap((one) =>
    taken
      .filter((other) => other.called > one.taken && other.fencing <= one.fencing)
      .map((other): [Taken, Taken] => [one, other]),
  );
}

const taken = (holders: readonly Holder[]) => all<Taken>(holders, "taken").length;

/** Waits until the lock has been taken so many times more. */
async function goOn(holders: readonly Holder[], times: number): Promise<void> {
  const before = taken(holders);
  await until(() => taken(holders) >= before + times, { what: "the next holder", timeoutMs: 20_000 });
}

type Fault = (holders: Holder[], server: ValkeyServer, index: number) => Promise<void>;

/** The process that has the lock, every second time, or any. */
function chosen(holders: readonly Holder[], index: number): Holder | undefined {
  if (index % 2 === 0) return holders[index % holders.length];
  const [last] = all<Taken>(holders, "taken").sort((one, other) => other.taken - one.taken);
  return holders.find(({ said }) => last && said.includes(last));
}

const frozen: Fault = async (holders, _server, index) => {
  const one = chosen(holders, index);
  one?.signal("SIGSTOP");
  await goOn(holders, 2);
  one?.signal("SIGCONT");
};

const killed: Fault = async (holders, server, index) => {
  chosen(holders, index)?.signal("SIGKILL");
  holders.push(new Holder(server.url, "iovalkey"));
  await goOn(holders, 2);
};

const flushed: Fault = async (holders, { port }) => {
  await command(port, ["FLUSHALL"]);
  await goOn(holders, 2);
};

async function underFaults(faults: readonly Fault[], indices: readonly number[], transport: string): Promise<Holder[]> {
  await using server = await startValkey();
  const holders = [0, 1, 2].map(() => new Holder(server.url, transport));
  try {
    await goOn(holders, 2);
    for (const [i, fault] of faults.entries()) await fault(holders, server, indices[i] ?? 0);
    await goOn(holders, 1);
  } finally {
    for (const holder of holders) await holder[Symbol.asyncDispose]();
  }
  return holders;
}

describe.concurrent("holders of a lock", () => {
  beforeAll(() => build(), 120_000);

  it.each(["glide", "iovalkey"])(
    "that are killed and frozen are never two whose signals have not fired, over %s",
    async (transport) => {
      const sequence = fc.array(fc.tuple(fc.constantFrom(frozen, killed), fc.nat(9)), {
        minLength: 5,
        maxLength: 7,
        size: "max",
      });
      await fc.assert(
        fc.asyncProperty(sequence, async (steps) => {
          const holders = await underFaults(
            steps.map(([fault]) => fault),
            steps.map(([, index]) => index),
            transport,
          );
          expect(overlaps(holders)).toEqual([]);
          expect(shrunk(holders)).toEqual([]);
        }),
        { numRuns: 2, endOnFailure: true },
      );
    },
    120_000,
  );

  it("that are robbed by FLUSHALL are two for less than a lifetime, and their numbers grow all the same", async () => {
    const faults = [flushed, frozen, flushed, flushed, killed, flushed];
    const holders = await underFaults(faults, [0, 1, 2, 3, 4, 5], "iovalkey");
    expect(overlaps(holders).filter(({ ms }) => ms > TTL_MS)).toEqual([]);
    expect(shrunk(holders)).toEqual([]);
    expect(all<Held>(holders, "held").some(({ lost }) => lost)).toBe(true);
  }, 60_000);
});

it("a lock that is renewed keeps no process running", async () => {
  const program = `
    import { createCache } from ${JSON.stringify(pathToFileURL(join(root, "dist/index.js")).href)};
    const lock = await createCache({ location: "memory:" }).lock("job", { ttl: "1h", renew: true });
    console.log(lock.signal.aborted);
  `;
  await build();
  expect(await output(join(bin, "node"), ["--input-type=module", "--eval", program])).toBe("false\n");
}, 120_000);
