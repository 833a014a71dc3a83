import { describe, expect, it } from "vitest";
import { ConnectionError } from "../../../src/core/errors.js";
import type { ConnectionSubject } from "../connection.js";
import { a, bulk, plain } from "./rows.js";

export function lifecycle(subject: () => ConnectionSubject): void {
  describe("closing", () => {
    it("two connections see the same data, and closing one leaves the other open", async () => {
      const { connection, other } = subject();
      const second = await other();
      await second.send([["SET", a, "shared"]]);
      await second.close();
      expect((await connection.send([["GET", a]])).map(plain)).toEqual([bulk("shared")]);
    });

    it("can be done twice, at once, and through asyncDispose", async () => {
      const { other } = subject();
      const second = await other();
      await Promise.all([second.close(), second.close()]);
      await second.close();
      await second[Symbol.asyncDispose]();
      await expect(second.send([["PING"]])).rejects.toThrow(ConnectionError);
    });

    it("makes every later call reject with a ConnectionError that says so", async () => {
      const second = await subject().other();
      await second.send([["PING"]]);
      await second.close();
      const script = { name: "one", lua: "return 1", twin: () => 1 };
      const scan = async () => {
        for await (const _ of second.scan({ match: "*", count: 10 }));
      };
      for (const call of [() => second.send([["GET", a]]), () => second.script(script, [a], []), scan]) {
        const error = await call().then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        expect(error).toBeInstanceOf(ConnectionError);
        expect(String(error)).toMatch(/closed/);
      }
    });

    it("without a command before needs no server", async () => {
      const second = await subject().other();
      await expect(second.close()).resolves.toBeUndefined();
    });
  });
}
