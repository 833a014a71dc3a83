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
import assert from "node:assert/strict";
import { sizes } from "./basic/values.ts";
import { compare } from "./harness/measure.ts";
import { benchOptions, isWanted } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { startServer } from "./harness/server.ts";
import { toMarkdown } from "./harness/table.ts";
import { basicTable } from "./tables.ts";
/** The first is what the others are compared with. */
const contenders = [
    { name: "GLIDE by hand", file: "glide" },
    { name: "valkey-edge-cache", file: "library" },
    { name: "ioredis by hand", file: "ioredis" },
    { name: "iovalkey by hand", file: "iovalkey" },
];
const callerCounts = [1, 50, 500];
const KEYS = 100;
/** More than this in flight at once measures the garbage collector. */
const MAX_BYTES_IN_FLIGHT = 100_000_000;
const FULL = { rounds: 9, sliceMs: 200 };
const QUICK = { rounds: 3, sliceMs: 60 };
/** Each call takes the next key. */
const operations = {
    get: { values: 1, prepare: (store, keys) => each(keys, (key) => store.get(key)) },
    set: { values: 1, prepare: (store, keys, values) => each(keys, (key, i) => store.set(key, values[i])) },
    "getMany(100)": { values: KEYS, prepare: (store, keys) => () => store.getMany(keys) },
    "getOrSet, a hit": { values: 1, prepare: (store, keys) => each(keys, (key) => store.getOrSet(key, neverCalled)) },
};
const options = benchOptions();
async function measureAll(wanted, { url }) {
    const stores = await openAll(url);
    const done = [];
    for (const size of sizes) {
        const { keys, values } = await fill(stores, size);
        for (const [operation, { values: perCall, prepare }] of Object.entries(operations)) {
            for (const callers of callerCounts) {
                const name = `${operation}, ${size.name}, ${callers}`;
                if (!isWanted(name, wanted) || size.bytes * perCall * callers > MAX_BYTES_IN_FLIGHT)
                    continue;
                const rows = [...stores].map(([contender, store]) => ({
                    name: contender,
                    call: prepare(store, keys.get(contender) ?? [], values),
                }));
                const comparisons = await compare(rows, callers, wanted.quick ? QUICK : FULL);
                done.push({ operation, size: size.name, callers, contenders: comparisons });
                console.log(`${name}: ${comparisons.map((row) => `${row.name} ${row.ratio.toFixed(2)}`).join(", ")}`);
            }
        }
    }
    for (const store of stores.values())
        await store.close();
    return done;
}
async function openAll(url) {
    const stores = new Map();
    for (const { name, file } of contenders) {
        // Not named to the type checker: what it imports may not be installed.
        const module = (await import(new URL(`basic/${file}.ts`, import.meta.url).href));
        stores.set(name, await module.open(url));
    }
    return stores;
}
/** Writes the values under keys of each contender's own, and sees that all read back what they wrote. */
async function fill(stores, size) {
    const values = Array.from({ length: KEYS }, (_value, id) => size.make(id));
    const keys = new Map();
    for (const [i, [name, store]] of [...stores].entries()) {
        const own = values.map((_value, id) => `${i}:${size.bytes}:place:${id}`);
        keys.set(name, own);
        for (const [id, key] of own.entries()) {
            await store.set(key, values[id]);
            assert.deepEqual(await store.get(key), values[id]);
        }
    }
    return { keys, values };
}
function each(keys, call) {
    let next = 0;
    return () => {
        const i = next++ % keys.length;
        return call(keys[i] ?? "", i);
    };
}
async function neverCalled() {
    throw new Error("a value that was there has gone; see that the values outlive the bench");
}
var server, cases, packages, result;
const env_1 = { stack: [], error: void 0, hasError: false };
try {
    server = __addDisposableResource(env_1, await startServer(), true);
    cases = await measureAll(options, server);
    packages = ["@valkey/valkey-glide", "ioredis", "iovalkey"];
    result = { environment: await environment(server.version, packages), cases };
    console.log(`\n${toMarkdown(basicTable(result))}`);
    if (!options.quick && options.only.length === 0)
        await writeResult("basic", result);
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
