import { vi } from "vitest";
import type { Connection, Reply } from "../../src/core/connection.js";

/** A connection that answers each command with PONG by default. */
export function fakeConnection(own: Partial<Connection> = {}): Connection {
  const close = own.close ?? vi.fn(async () => {});
  return {
    send: vi.fn(async (commands): Promise<Reply[]> => commands.map(() => "PONG")),
    script: vi.fn(async () => 1),
    async *scan() {},
    status: () => ({ state: "closed", lastError: undefined }),
    close,
    [Symbol.asyncDispose]: () => close(),
    ...own,
  };
}

/** Never settles. */
export function hang<T>(): Promise<T> {
  return new Promise(() => {});
}
