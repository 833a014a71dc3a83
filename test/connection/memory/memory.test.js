var __addDisposableResource = (this && this.__addDisposableResource) || function (env, value, async) {
    if (value !== null && value !== void 0) {
        if (typeof value !== "object" && typeof value !== "function") throw new TypeError("Object expected.");
        var dispose, inner;
        if (async) {
            if (!Symbol.asyncDispose) throw new TypeError("Symbol.asyncDispose is not defined.");
            dispose = value[Symbol.asyncDispose];
        }
        if (dispose === void 0) {
            if (!Symbol.dispose) throw new TypeError("Symbol.dispose is not defined.");
            dispose = value[Symbol.dispose];
            if (async) inner = dispose;
        }
        if (typeof dispose !== "function") throw new TypeError("Object not disposable.");
        if (inner) dispose = function() { try { inner.call(this); } catch (e) { return Promise.reject(e); } };
        env.stack.push({ value: value, dispose: dispose, async: async });
    }
    else if (async) {
        env.stack.push({ async: true });
    }
    return value;
};
var __disposeResources = (this && this.__disposeResources) || (function (SuppressedError) {
    return function (env) {
        function fail(e) {
            env.error = env.hasError ? new SuppressedError(e, env.error, "An error was suppressed during disposal.") : e;
            env.hasError = true;
        }
        var r, s = 0;
        function next() {
            while (r = env.stack.pop()) {
                try {
                    if (!r.async && s === 1) return s = 0, env.stack.push(r), Promise.resolve().then(next);
                    if (r.dispose) {
                        var result = r.dispose.call(r.value);
                        if (r.async) return s |= 2, Promise.resolve(result).then(next, function(e) { fail(e); return next(); });
                    }
                    else s |= 1;
                }
                catch (e) {
                    fail(e);
                }
            }
            if (s === 1) return env.hasError ? Promise.reject(env.error) : Promise.resolve();
            if (env.hasError) throw env.error;
        }
        return next();
    };
})(typeof SuppressedError === "function" ? SuppressedError : function (error, suppressed, message) {
    var e = new Error(message);
    return e.name = "SuppressedError", e.error = error, e.suppressed = suppressed, e;
});
import { describe, expect, it } from "vitest";
import { memory } from "../../../src/connection/memory/memory.js";
import { systemClock } from "../../../src/core/clock.js";
import { ConfigurationError, ReplyError } from "../../../src/core/errors.js";
import { PROCESS } from "../../../src/core/invocation.js";
import { parseLocation } from "../../../src/core/location.js";
const TEXT = { idempotent: true, text: true };
const connect = (location = "memory:", factory = memory()) => factory.connect(parseLocation(location), PROCESS);
describe("memory()", () => {
    it("shares one store among its connections, one more for each name, and none with another factory", async () => {
        const factory = memory();
        await connect("memory:", factory).send([["SET", "key", "unnamed"]]);
        await connect("memory:shop", factory).send([["SET", "key", "shop"]]);
        expect(await connect("memory:", factory).send([["GET", "key"]], TEXT)).toEqual(["unnamed"]);
        expect(await connect("memory:shop", factory).send([["GET", "key"]], TEXT)).toEqual(["shop"]);
        expect(await connect("memory:shop").send([["GET", "key"]], TEXT)).toEqual([null]);
    });
    it("keeps its entries when all connections are closed", async () => {
        const factory = memory();
        {
            const env_1 = { stack: [], error: void 0, hasError: false };
            try {
                const connection = __addDisposableResource(env_1, connect("memory:", factory), true);
                await connection.send([["SET", "key", "1"]]);
            }
            catch (e_1) {
                env_1.error = e_1;
                env_1.hasError = true;
            }
            finally {
                const result_1 = __disposeResources(env_1);
                if (result_1)
                    await result_1;
            }
        }
        expect(await connect("memory:", factory).send([["GET", "key"]], TEXT)).toEqual(["1"]);
    });
    it("refuses a server's location, and says what takes it", () => {
        const refusal = () => connect("valkey://:secret@localhost:6379");
        expect(refusal).toThrow(ConfigurationError);
        expect(refusal).toThrow(/valkey:\/\/localhost:6379 .*"memory:".*glide\(\)/);
        expect(refusal).not.toThrow(/secret/);
    });
    it.each([
        [{ maxSize: 0 }, /maxSize: 0 .* whole number of bytes/],
        [{ maxSize: 1.5 }, /maxSize: 1.5/],
        [{ maxSize: "64MB" }, /maxSize: "64MB"/],
        [{ maxEntries: -1 }, /maxEntries: -1 .* whole number of entries/],
        [{ clock: {} }, /clock: an object .* now, random and sleep/],
        [{ maxsize: 5 }, /unknown option "maxsize"; known are maxSize, maxEntries, clock/],
    ])("refuses the options %j, naming what is wrong", (options, message) => {
        expect(() => memory(options)).toThrow(ConfigurationError);
        expect(() => memory(options)).toThrow(message);
    });
});
describe("a memory connection", () => {
    it("keeps its own copy of bytes, and gives copies away", async () => {
        const connection = connect();
        const [value, member] = [Uint8Array.of(0xff, 1), Buffer.from([0xff, 2])];
        await connection.send([
            ["SET", "a", value],
            ["SADD", "set", member],
            ["HSET", "hash", "field", value],
        ]);
        value.fill(0);
        member.fill(0);
        const read = () => connection.send([
            ["GET", "a"],
            ["SMEMBERS", "set"],
            ["HGETALL", "hash"],
        ]);
        const expected = [Uint8Array.of(0xff, 1), [Uint8Array.of(0xff, 2)]];
        for (let round = 0; round < 2; round++) {
            const [first, members, fields] = await read();
            expect([first, members]).toEqual(expected);
            expect(fields).toEqual([[new TextEncoder().encode("field"), Uint8Array.of(0xff, 1)]]);
            for (const bytes of [first, members, fields].flat(2))
                if (bytes instanceof Uint8Array)
                    bytes.fill(9);
        }
    });
    it("answers plain Uint8Arrays, also for what came as a Buffer", async () => {
        const [, reply] = await connect().send([
            ["SET", "a", Buffer.from("x")],
            ["GET", "a"],
        ]);
        expect(Object.getPrototypeOf(reply)).toBe(Uint8Array.prototype);
    });
    it("answers strings when text is asked for, where bytes are valid UTF-8", async () => {
        const connection = connect();
        await connection.send([
            ["MSET", "text", "é", "bytes", new TextEncoder().encode("é"), "binary", Uint8Array.of(0xe9)],
        ]);
        for (let round = 0; round < 2; round++) {
            const [values] = await connection.send([["MGET", "text", "bytes", "binary"]], TEXT);
            expect(values).toEqual(["é", "é", Uint8Array.of(0xe9)]);
        }
        const [values] = await connection.send([["MGET", "text", "bytes"]]);
        expect(values).toEqual([Uint8Array.of(0xc3, 0xa9), Uint8Array.of(0xc3, 0xa9)]);
    });
    it("takes half a surrogate pair for what its UTF-8 says, as a value, a key and a member", async () => {
        const connection = connect();
        const replies = await connection.send([
            ["SET", "\ud800", "\udc00"],
            ["GET", "\ufffd"],
            ["SADD", "s", "\ud800", "\ufffd"],
        ], TEXT);
        expect(replies).toEqual(["OK", "\ufffd", 1]);
    });
    it("says which commands it knows", async () => {
        const [reply] = await connect().send([["LPUSH", "a", "1"]]);
        expect(reply).toBeInstanceOf(ReplyError);
        expect(reply).toMatchObject({
            code: "ERR",
            detail: /^unknown command 'LPUSH'; the memory transport knows SET|GET, /,
        });
    });
    it("names the command that can't be queued as the cause of EXECABORT", async () => {
        const sent = connect().send([["PING"], ["LPUSH", "a", "1"]], { atomic: true });
        await expect(sent).rejects.toMatchObject({ code: "EXECABORT", cause: { detail: /LPUSH/ } });
    });
    it("carries a flight out before send returns", () => {
        const connection = connect();
        const seen = [];
        const twin = (call) => seen.push(call("EXISTS", "a"));
        void connection.send([["SET", "a", "1"]]);
        void connection.script({ name: "look", lua: "", twin }, [], []);
        expect(seen).toEqual([1]);
    });
    it("draws random members with its clock's randomness, each as likely as the others", async () => {
        let draws = 0;
        const factory = memory({ clock: { ...systemClock, random: () => (draws++ % 4) / 4 } });
        const connection = connect("memory:", factory);
        await connection.send([["SADD", "set", "a", "b", "c", "d"]]);
        const drawn = await connection.send(Array.from({ length: 8 }, () => ["SRANDMEMBER", "set"]), TEXT);
        expect(drawn).toEqual(["a", "b", "c", "d", "a", "b", "c", "d"]);
        const [many, some, popped] = await connection.send([
            ["SRANDMEMBER", "set", "-9"],
            ["SRANDMEMBER", "set", "3"],
            ["SPOP", "set", "2"],
        ], TEXT);
        expect(many).toHaveLength(9);
        expect(new Set(some).size).toBe(3);
        expect(await connection.send([
            ["SCARD", "set"],
            ["SMISMEMBER", "set", ...popped],
        ])).toEqual([2, [0, 0]]);
    });
    it("refuses a scan that would look at no keys", async () => {
        const scan = async () => {
            for await (const _ of connect().scan({ match: "*", count: 0 }))
                ;
        };
        await expect(scan()).rejects.toThrow(/ERR syntax error/);
    });
    it("yields batches no larger than the count, each key once", async () => {
        const connection = connect();
        await connection.send(Array.from({ length: 25 }, (_, index) => ["SET", `key ${index}`, "1"]));
        const sizes = [];
        for await (const batch of connection.scan({ match: "*", count: 10 }))
            sizes.push(batch.length);
        expect(sizes).toEqual([10, 10, 5]);
    });
});
