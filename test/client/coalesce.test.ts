import { describe, expect, it, vi } from "vitest";
import { Coalesced, type Shared } from "../../src/client/single-flight.js";
import { deferred } from "../support/deferred.js";

const same = <T>(result: T) => result;

describe("callers of one key", () => {
  it("share the work that is running", async () => {
    const shared = new Coalesced<number>();
    const { promise, resolve } = deferred<number>();
    const work = vi.fn(() => promise);
    const asked = Array.from({ length: 5 }, () => shared.run("k", work, same, same));
    resolve(7);
    expect(await Promise.all(asked)).toEqual([7, 7, 7, 7, 7]);
    expect(work).toHaveBeenCalledTimes(1);
  });

  it("are given different results: the leader, and its followers", async () => {
    const shared = new Coalesced<number>();
    const { promise, resolve } = deferred<number>();
    const run = () =>
      shared.run(
        "k",
        () => promise,
        (n) => `leads ${n}`,
        async (n) => `follows ${n}`,
      );
    const asked = [run(), run(), run()];
    resolve(7);
    expect(await Promise.all(asked)).toEqual(["leads 7", "follows 7", "follows 7"]);
  });

  it("start anew once it is over, whether it succeeded or failed", async () => {
    const shared = new Coalesced<number>();
    const work = vi.fn(async () => 7).mockRejectedValueOnce(new Error("broken"));
    await expect(shared.run("k", work, same, same)).rejects.toThrow("broken");
    expect(await shared.run("k", work, same, same)).toBe(7);
    expect(await shared.run("k", work, same, same)).toBe(7);
    expect(work).toHaveBeenCalledTimes(3);
  });

  it("all hear of a failure", async () => {
    const shared = new Coalesced<number>();
    const { promise, reject } = deferred<number>();
    const asked = Array.from({ length: 3 }, () => shared.run("k", () => promise, same, same));
    reject(new Error("broken"));
    for (const one of asked) await expect(one).rejects.toThrow("broken");
  });

  it("of different keys share nothing", async () => {
    const shared = new Coalesced<string>();
    const run = (key: string) => shared.run(key, async () => key, same, same);
    expect(await Promise.all([run("a"), run("b")])).toEqual(["a", "b"]);
  });

  it.each(["forget", "forgetAll"] as const)("start anew after %s, and the running work can see it", async (forget) => {
    const shared = new Coalesced<string>();
    const [old, fresh] = [deferred<string>(), deferred<string>()];
    let first: Shared | undefined;
    const before = shared.run(
      "k",
      (given) => {
        first = given;
        return old.promise;
      },
      same,
      same,
    );
    expect(first?.isCurrent()).toBe(true);
    shared[forget]("k");
    expect(first?.isCurrent()).toBe(false);
    const after = shared.run("k", () => fresh.promise, same, same);
    old.resolve("old");
    expect(await before).toBe("old");
    // The end of the old work does not end the new one.
    const joined = shared.run("k", async () => "third", same, same);
    fresh.resolve("fresh");
    expect(await Promise.all([after, joined])).toEqual(["fresh", "fresh"]);
  });

  it("leave when their signal fires, with its reason, and leave the others alone", async () => {
    const shared = new Coalesced<number>();
    const { promise, resolve } = deferred<number>();
    const [one, other] = [new AbortController(), new AbortController()];
    let given: Shared | undefined;
    const work = (own: Shared) => {
      given = own;
      return promise;
    };
    const asked = [one, other].map(({ signal }) => shared.run("k", work, same, same, signal));
    one.abort(new Error("left"));
    await expect(asked[0]).rejects.toThrow("left");
    expect(given?.signal().aborted).toBe(false);
    resolve(7);
    expect(await asked[1]).toBe(7);
  });

  it("that have all left end the work, with the last one's reason", async () => {
    const shared = new Coalesced<number>();
    const controllers = [new AbortController(), new AbortController()];
    let given: Shared | undefined;
    const asked = controllers.map(({ signal }) =>
      shared.run(
        "k",
        (own) => {
          given = own;
          return new Promise(() => {});
        },
        same,
        same,
        signal,
      ),
    );
    controllers[0]?.abort(new Error("first"));
    controllers[1]?.abort(new Error("last"));
    for (const one of asked) await expect(one).rejects.toThrow();
    expect(given?.signal().reason).toMatchObject({ message: "last" });
  });

  it("do not join work that others have given up", async () => {
    const shared = new Coalesced<string>();
    const controller = new AbortController();
    const work = (own: Shared) =>
      new Promise<string>((_, reject) => own.signal().addEventListener("abort", () => reject(own.signal().reason)));
    const given = shared.run("k", work, same, same, controller.signal);
    controller.abort(new Error("not mine"));
    const asked = shared.run("k", async () => "mine", same, same);
    await expect(given).rejects.toThrow("not mine");
    expect(await asked).toBe("mine");
  });

  it("that come with a signal fired already leave at once", async () => {
    const shared = new Coalesced<number>();
    const { promise, resolve } = deferred<number>();
    const first = shared.run("k", () => promise, same, same);
    const late = shared.run("k", () => promise, same, same, AbortSignal.abort(new Error("gone")));
    await expect(late).rejects.toThrow("gone");
    resolve(7);
    expect(await first).toBe(7);
  });

  it("without a signal wait, whoever leaves", async () => {
    const shared = new Coalesced<number>();
    const { promise, resolve } = deferred<number>();
    const controller = new AbortController();
    let given: Shared | undefined;
    const stays = shared.run(
      "k",
      (own) => {
        given = own;
        return promise;
      },
      same,
      same,
    );
    const leaves = shared.run("k", () => promise, same, same, controller.signal);
    controller.abort();
    await expect(leaves).rejects.toThrow();
    expect(given?.signal().aborted).toBe(false);
    resolve(7);
    expect(await stays).toBe(7);
  });
});
