import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "iovalkey";
import { type Cache, createCache, glide, iovalkey } from "../../src/index.js";
import { command } from "../support/command.js";
import { startValkey, type ValkeyOptions, type ValkeyServer } from "../support/servers.js";
import type { Fault } from "./fault.js";
import type { Load, LoadOptions } from "./load.js";

interface Stage {
  readonly cache: Cache;
  readonly load: Load;
}

const DEADLINE_MS = 500;

/** A server and a cache with a deadline of half a second. */
export function serverFault(
  name: string,
  harm: (server: ValkeyServer, healed: () => void, on: Stage) => Promise<void>,
  { load, ...options }: ValkeyOptions & { load?: LoadOptions } = {},
): Fault {
  return {
    name,
    async prepare(stack) {
      const server = stack.use(await startValkey(options));
      const cache = stack.use(createCache({ location: server.url, commandTimeout: "500ms", connectTimeout: "500ms" }));
      return {
        cache,
        ...(load === undefined ? {} : { load }),
        deadlineMs: DEADLINE_MS,
        harm: (healed, load) => harm(server, healed, { cache, load }),
      };
    },
  };
}

const config = (server: ValkeyServer, name: string, value: string) =>
  command(server.port, ["CONFIG", "SET", name, value]);

export const restarted = serverFault(
  "the server is killed, and restarted empty 1 s later",
  async (server, healed) => {
    await server.kill("SIGKILL");
    await pause(1_000);
    await server.restart();
    healed();
  },
  { load: { mayForget: true } },
);

export const frozen = serverFault("the server hangs for 1.5 s (SIGSTOP)", async (server, healed) => {
  await server.kill("SIGSTOP");
  await pause(1_500);
  await server.kill("SIGCONT");
  healed();
});

export const killedClients = serverFault("`CLIENT KILL`, 10 times", async (server, healed) => {
  for (let i = 0; i < 10; i++) {
    await command(server.port, ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    await pause(50);
  }
  healed();
});

export const paused = serverFault("`CLIENT PAUSE` of 1.5 s, three times the deadline", async (server, healed) => {
  await command(server.port, ["CLIENT", "PAUSE", "1500", "ALL"]);
  await pause(1_500);
  healed();
});

export const tooManyClients = serverFault("`maxclients` is reached for 1 s", async (server, healed) => {
  // The only connection that the server still accepts.
  const admin = new Redis({ host: server.host, port: server.port, retryStrategy: () => null });
  try {
    await admin.config("SET", "maxclients", "1");
    await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await pause(1_000);
    await admin.config("SET", "maxclients", "10000");
    healed();
  } finally {
    admin.disconnect();
  }
});

export const outOfMemory = serverFault("`OOM` under `noeviction` for 1 s", async (server, healed) => {
  await config(server, "maxmemory", "1mb");
  await pause(1_000);
  await config(server, "maxmemory", "0");
  healed();
});

export const scriptsFlushed = serverFault("`SCRIPT FLUSH`, 20 times", async (server, healed) => {
  for (let i = 0; i < 20; i++) {
    await command(server.port, ["SCRIPT", "FLUSH"]);
    await pause(20);
  }
  healed();
});

export const manyPending = serverFault(
  "the server is killed with 10,000 calls under way",
  async (server, healed, { cache, load }) => {
    await server.kill("SIGSTOP");
    const startMs = performance.now();
    const calls = Promise.allSettled(Array.from({ length: 10_000 }, (_, i) => cache.get(`pending:${i}`)));
    await pause(50);
    await server.kill("SIGKILL");
    await calls;
    load.longestMs = Math.max(load.longestMs, performance.now() - startMs);
    await server.restart();
    healed();
  },
  { load: { mayForget: true } },
);

export const wrongPassword: Fault = {
  name: "the password is another one for 1 s, and connections end",
  async prepare(stack) {
    const server = stack.use(await startValkey({ args: ["--requirepass", "right"] }));
    const options = { commandTimeout: "500ms", connectTimeout: "500ms", password: "right" } as const;
    return {
      cache: stack.use(createCache({ location: server.url, ...options })),
      deadlineMs: DEADLINE_MS,
      async harm(healed) {
        const change = (from: string, to: string) =>
          command(server.port, ["CONFIG", "SET", "requirepass", to], { password: from });
        await change("right", "other");
        await command(server.port, ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"], { password: "other" });
        await pause(1_000);
        await change("other", "right");
        healed();
      },
    };
  },
};

export const forbiddenCommand: Fault = {
  name: "the user may not run scripts for 1 s (`NOPERM`)",
  async prepare(stack) {
    const server = stack.use(await startValkey());
    const may = (...rules: string[]) =>
      command(server.port, ["ACL", "SETUSER", "app", "on", ">secret", "~*", ...rules]);
    await may("+@all");
    const options = { commandTimeout: "500ms", connectTimeout: "500ms", username: "app", password: "secret" } as const;
    return {
      cache: stack.use(createCache({ location: server.url, ...options })),
      deadlineMs: DEADLINE_MS,
      async harm(healed) {
        await may("-eval", "-evalsha");
        await pause(1_000);
        await may("+@all");
        healed();
      },
    };
  },
};

export const clockSet = serverFault("the clock is set an hour back, then forward", async (_server, healed) => {
  const now = Date.now;
  try {
    for (const hours of [-1, 0, 1, 0]) {
      Date.now = () => now() + hours * 3_600_000;
      await pause(200);
    }
  } finally {
    Date.now = now;
  }
  healed();
});

/** `npm run faults` takes the times of the name, and other runs a fifth of them. */
const PART = process.env.FAULT_FIGURES ? 1 : 0.2;

/** Each password is new, and the server takes it for 5 s. Increments are left out, as one that was under way may have run. */
export function changingPasswords(transport: "valkey-glide" | "iovalkey"): Fault {
  const factory = transport === "iovalkey" ? iovalkey : glide;
  return {
    name: `a password ends after 5 s, connections after 12 s, for 40 s (${transport})`,
    async prepare(stack) {
      const server = stack.use(await startValkey());
      const user = (...rules: string[]) => command(server.port, ["ACL", "SETUSER", "app", ...rules]);
      await user("on", "~*", "+@all");
      const lifetimeMs = 5_000 * PART;
      const timers = new Set<NodeJS.Timeout>();
      stack.defer(() => timers.forEach(clearTimeout));
      let issued = 0;
      const credentials = async () => {
        const password = `password-${++issued}`;
        await user(`>${password}`);
        timers.add(setTimeout(() => void user(`<${password}`).catch(() => {}), lifetimeMs));
        return { username: "app", password, expiresAt: Date.now() + lifetimeMs };
      };
      const options = { commandTimeout: "500ms", connectTimeout: "500ms", credentials } as const;
      return {
        cache: stack.use(createCache({ location: server.url, connectionFactory: factory(options) })),
        load: { steps: ["get", "set", "getMany", "getOrSet"] },
        deadlineMs: DEADLINE_MS,
        async harm(healed) {
          for (let i = 0; i < 3; i++) {
            await pause(12_000 * PART);
            await command(server.port, ["CLIENT", "KILL", "USER", "app"]);
          }
          await pause(4_000 * PART);
          healed();
        },
      };
    },
  };
}
