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
import { ReplyError } from "../../../src/core/errors.js";
import { a, b, bulk, plain } from "./rows.js";
const bytes = (text) => new Uint8Array(Buffer.from((text ?? "")));
const echo = {
    name: "echo",
    lua: "return {KEYS[1], KEYS[2], ARGV[1], ARGV[2], #ARGV}",
    twin: (_call, keys, args) => [bytes(keys[0]), bytes(keys[1]), bytes(args[0]), bytes(args[1]), args.length],
};
const shapes = {
    name: "shapes",
    lua: `
    return {
      redis.call('SET', KEYS[1], ARGV[1]), redis.call('GET', KEYS[1]), redis.call('EXISTS', KEYS[1]),
      redis.call('GET', KEYS[2]), {1, {}}
    }`,
    twin: (call, keys, args) => [
        call("SET", keys[0] ?? "", args[0] ?? ""),
        call("GET", keys[0] ?? ""),
        call("EXISTS", keys[0] ?? ""),
        call("GET", keys[1] ?? ""),
        [1, []],
    ],
};
const nothing = { name: "nothing", lua: "return nil", twin: () => null };
const compareAndSet = {
    name: "compareAndSet",
    lua: `
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    redis.call('SET', KEYS[1], ARGV[2])
    return 1`,
    twin: (call, keys, args) => {
        const stored = call("GET", keys[0] ?? "");
        if (!(stored instanceof Uint8Array) || Buffer.compare(stored, bytes(args[0])) !== 0)
            return 0;
        call("SET", keys[0] ?? "", args[1] ?? "");
        return 1;
    },
};
const refuse = {
    name: "refuse",
    lua: "return redis.error_reply('MYCODE not today')",
    twin: () => new ReplyError("MYCODE", "not today"),
};
const fail = {
    name: "fail",
    lua: "redis.call('SET', KEYS[1], 'written') return redis.call('SADD', KEYS[1], 'member')",
    twin: (call, keys) => {
        call("SET", keys[0] ?? "", "written");
        return call("SADD", keys[0] ?? "", "member");
    },
};
export function scripts(subject) {
    describe("a script", () => {
        it("gets its keys and arguments, text or bytes", async () => {
            const binary = Uint8Array.of(0, 255, 10, 13);
            const reply = await subject().connection.script(echo, [a, b], ["é", binary]);
            expect(plain(reply)).toEqual([bulk(a), bulk(b), bulk("é"), bulk([...binary]), 2]);
        });
        it("answers in the shapes of replies", async () => {
            const { connection } = subject();
            expect(plain(await connection.script(shapes, [a, b], ["value"]))).toEqual([
                "OK",
                bulk("value"),
                1,
                null,
                [1, []],
            ]);
            expect(await connection.script(nothing, [a], [])).toBeNull();
        });
        it("runs in one step: of many that compare and set, one wins", async () => {
            const env_1 = { stack: [], error: void 0, hasError: false };
            try {
                const { connection, other } = subject();
                const second = __addDisposableResource(env_1, await other(), true);
                await connection.send([["SET", a, "start"]]);
                const tries = Array.from({ length: 20 }, (_, index) => (index % 2 ? connection : second).script(compareAndSet, [a], ["start", `winner ${index}`]));
                expect((await Promise.all(tries)).filter((won) => won === 1)).toHaveLength(1);
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
        });
        it("that answers with an error rejects with it", async () => {
            const refused = subject().connection.script(refuse, [a], []);
            await expect(refused).rejects.toMatchObject({ name: "ReplyError", code: "MYCODE", detail: /not today/ });
        });
        it("one of whose commands fails rejects with that command's error, and what came before stays", async () => {
            const { connection } = subject();
            await expect(connection.script(fail, [a], [])).rejects.toMatchObject({ name: "ReplyError", code: "WRONGTYPE" });
            expect((await connection.send([["GET", a]])).map(plain)).toEqual([bulk("written")]);
        });
        it("runs also after the server has forgotten it", async () => {
            const { connection } = subject();
            const run = () => connection.script(echo, [a, b], ["1", "2"]);
            const before = await run();
            // A transport without a script cache answers with an error, which is as good.
            await connection.send([["SCRIPT", "FLUSH"]]);
            expect(plain(await run())).toEqual(plain(before));
        });
    });
}
