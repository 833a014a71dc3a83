import { setTimeout as pause } from "node:timers/promises";
import { createCache } from "../../src/index.js";
import { startProxy, type TcpProxy } from "../support/proxy.js";
import { startValkey } from "../support/servers.js";
import type { Fault } from "./fault.js";
import type { LoadOptions } from "./load.js";

interface NetworkOptions {
  readonly deadlineMs?: number;
  readonly load?: LoadOptions;
}

function networkFault(
  name: string,
  harm: (proxy: TcpProxy, healed: () => void) => Promise<void>,
  { deadlineMs = 500, load }: NetworkOptions = {},
): Fault {
  return {
    name,
    async prepare(stack) {
      const server = stack.use(await startValkey());
      const proxy = stack.use(await startProxy({ port: server.port }));
      const timeout = `${deadlineMs}ms` as const;
      const cache = createCache({ location: proxy.url, commandTimeout: timeout, connectTimeout: timeout });
      return {
        cache: stack.use(cache),
        ...(load === undefined ? {} : { load }),
        deadlineMs,
        harm: (healed) => harm(proxy, healed),
      };
    },
  };
}

export const halfOpen = networkFault(
  "a half-open connection: a NAT forgot it, new ones work",
  async (proxy, healed) => {
    proxy.strand();
    healed();
  },
);

export const blackout = networkFault("the network swallows all for 1.5 s", async (proxy, healed) => {
  proxy.pause();
  await pause(1_500);
  proxy.resume();
  healed();
});

export const slow = networkFault(
  "a slow network: 200 ms each way for 1 s",
  async (proxy, healed) => {
    proxy.delay(200);
    await pause(1_000);
    proxy.delay(0);
    healed();
  },
  { deadlineMs: 1_000 },
);

export const byteByByte = networkFault(
  "one byte at a time for 1 s",
  async (proxy, healed) => {
    proxy.throttle();
    await pause(1_000);
    proxy.throttle(false);
    healed();
  },
  { deadlineMs: 2_000, load: { callers: 10, restMs: 20 } },
);

export const resetInReply = networkFault("the connection is reset in mid-reply, 10 times", async (proxy, healed) => {
  for (let i = 0; i < 10; i++) {
    proxy.throttle();
    await pause(10);
    proxy.reset();
    proxy.throttle(false);
    await pause(50);
  }
  healed();
});

export const refused = networkFault("the port refuses for 1 s, and connections are reset", async (proxy, healed) => {
  proxy.refuse();
  proxy.reset();
  await pause(1_000);
  await proxy.accept();
  healed();
});
