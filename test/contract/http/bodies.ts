import { describe, expect, it, vi } from "vitest";
import { systemClock } from "../../../src/core/time.js";
import { type Collected, Collector, part, readAll } from "../../../src/http/body.js";
import { Interest } from "../../../src/http/interest.js";
import { deferred } from "../../support/deferred.js";
import { until } from "../../support/wait.js";

const CHUNK = new Uint8Array(1_000).fill(7);

function source(chunks: number, end: "close" | "error" | "never" = "close") {
  let pulled = 0;
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (pulled++ < chunks) controller.enqueue(CHUNK.slice());
        else if (end === "close") controller.close();
        else if (end === "error") controller.error(new Error("cut"));
      },
      cancel() {
        cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, pulled: () => pulled, cancelled: () => cancelled };
}

const interest = () => new Interest(undefined, systemClock);

function collect(stream: ReadableStream<Uint8Array>, limit: number, expected?: number) {
  const results: Collected[] = [];
  const done = (collected: Collected): undefined => void results.push(collected) as undefined;
  return {
    collector: new Collector(stream, { limit, expected, clock: systemClock, interest: interest(), done }),
    results,
  };
}

const read = async (stream: ReadableStream<Uint8Array>) => new Uint8Array(await new Response(stream).arrayBuffer());

/** What becomes of a body that is passed on and kept, on the streams of whatever runtime. */
export function bodies(): void {
  describe("a body on its way", () => {
    it("is passed on and kept", async () => {
      const { collector, results } = collect(source(3).stream, 10_000);
      expect(await read(collector.stream)).toHaveLength(3_000);
      expect(results).toEqual([new Uint8Array(3_000).fill(7)]);
    });

    it("is passed on whole and given up when it is larger than the limit", async () => {
      const { collector, results } = collect(source(50).stream, 10_000);
      expect(await read(collector.stream)).toHaveLength(50_000);
      expect(results).toEqual(["too-large"]);
    });

    it("is read no further ahead of a slow client than the limit", async () => {
      const endless = source(Number.POSITIVE_INFINITY);
      const { collector } = collect(endless.stream, 10_000);
      const reader = collector.stream.getReader();
      await reader.read();
      await until(() => endless.pulled() >= 10, { what: "it to be read ahead" });
      await new Promise((resolve) => setImmediate(resolve));
      expect(endless.pulled()).toBeLessThanOrEqual(12);
      await reader.cancel();
      expect(endless.cancelled()).toBe(true);
    });

    it("is known to be complete, and its storing on the way, before its client has the last byte", async () => {
      const onItsWay = deferred<void>();
      const done = vi.fn(() => onItsWay.promise);
      const endless = source(3, "never");
      const collector = new Collector(endless.stream, {
        limit: 10_000,
        expected: 3_000,
        clock: systemClock,
        interest: interest(),
        done,
      });
      const reader = collector.stream.getReader();
      await reader.read();
      await reader.read();
      const last = vi.fn();
      const reading = reader.read().then(last);
      await until(() => done.mock.calls.length === 1, { what: "the body to be complete" });
      expect(last).not.toHaveBeenCalled();
      onItsWay.resolve();
      await reading;
      expect(done).toHaveBeenCalledExactlyOnceWith(new Uint8Array(3_000).fill(7));
      await reader.cancel();
    });

    it("is stored for others although its client never reads it", async () => {
      const { results } = collect(source(5).stream, 10_000);
      await until(() => results.length === 1, { what: "the body to be complete" });
      expect(results[0]).toHaveLength(5_000);
    });

    // The second is the runtime's own stream, as the bodies of fetch() are, which may take one read at a time.
    it.each([
      ["of a handler's stream", () => source(3).stream],
      ["of a response", () => new Response(new Uint8Array(3_000)).body as ReadableStream<Uint8Array>],
    ])("%s is read to its end for the store when its client leaves, and when there is none", async (_what, body) => {
      const { collector, results } = collect(body(), 10_000);
      await collector.stream.cancel();
      await until(() => results.length === 1, { what: "the body to be complete" });
      expect(results[0]).toHaveLength(3_000);
      const options = { limit: 10_000, expected: 3_000, clock: systemClock, interest: interest() };
      expect(await readAll(body(), options)).toHaveLength(3_000);
    });

    it.each([
      ["that breaks off", source(3, "error").stream, undefined],
      ["that is shorter than it said", source(3).stream, 3_001],
      ["that is longer than it said", source(3).stream, 2_999],
    ])("%s is not stored", async (_what, stream, expected) => {
      const { collector, results } = collect(stream, 10_000, expected);
      await read(collector.stream).catch(() => {});
      expect(results).toEqual(["cut-short"]);
    });

    it("breaks off for its client where it breaks off", async () => {
      const { collector } = collect(source(3, "error").stream, 10_000);
      await expect(read(collector.stream)).rejects.toThrow("cut");
    });

    it.each([
      [0, 1, 1],
      [999, 1_001, 2],
      [2_500, 3_000, 500],
      [0, 3_000, 3_000],
    ])("gives its bytes from %d to %d", async (start, end, length) => {
      const left = vi.fn();
      expect(await read(part(source(3).stream, { start, end }, left))).toHaveLength(length);
      expect(left).toHaveBeenCalledOnce();
    });
  });
}
