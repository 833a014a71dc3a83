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
import { benchOptions, isWanted } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { startServer } from "./harness/server.ts";
import { median, quantile } from "./harness/statistics.ts";
import { toMarkdown } from "./harness/table.ts";
import { Fleet } from "./herd/fleet.ts";
import { LOAD_MS } from "./herd/scenario.ts";
import { herdTable } from "./tables.ts";
/** Each is a file in herd/subjects/. */
const subjects = [
    { name: "valkey-edge-cache, herd()", file: "herd" },
    { name: "valkey-edge-cache, defaultClient()", file: "default-client" },
    { name: "bentocache, grace", file: "bentocache" },
    { name: "bentocache, grace, two levels", file: "bentocache-two-levels" },
    { name: "cachified", file: "cachified" },
    { name: "cachified, staleWhileRevalidate", file: "cachified-stale" },
    { name: "async-cache-dedupe", file: "async-cache-dedupe" },
    { name: "async-cache-dedupe, stale", file: "async-cache-dedupe-stale" },
    { name: "cache-manager", file: "cache-manager" },
    { name: "cache-manager, refreshThreshold", file: "cache-manager-refresh" },
    { name: "keyv", file: "keyv" },
    { name: "unstorage", file: "unstorage" },
];
const PROCESSES = 8;
/** A call that took longer was held up by a load. */
const BLOCKED_MS = LOAD_MS / 3;
const options = benchOptions();
async function cold(file) {
    const env_2 = { stack: [], error: void 0, hasError: false };
    try {
        const fleet = __addDisposableResource(env_2, await Fleet.launch(PROCESSES, file, server.url, 60), true);
        const tolls = [];
        for (let i = 0; i < (options.quick ? 1 : 5); i++) {
            tolls.push(await toll(server, fleet, { key: `cold:${i}`, callers: 50, forMs: 0, pauseMs: 0 }));
        }
        const typical = median(tolls.map(({ loads }) => loads));
        return tolls.find(({ loads }) => loads === typical) ?? tolls[0];
    }
    catch (e_2) {
        env_2.error = e_2;
        env_2.hasError = true;
    }
    finally {
        const result_2 = __disposeResources(env_2);
        if (result_2)
            await result_2;
    }
}
async function expiring(file) {
    const env_3 = { stack: [], error: void 0, hasError: false };
    try {
        const fleet = __addDisposableResource(env_3, await Fleet.launch(PROCESSES, file, server.url, 1), true);
        const key = "expiring";
        await fleet.play({ key, callers: 1, forMs: 0, pauseMs: 0 }, 1);
        return toll(server, fleet, { key, callers: 5, forMs: options.quick ? 2_500 : 5_000, pauseMs: 10 });
    }
    catch (e_3) {
        env_3.error = e_3;
        env_3.hasError = true;
    }
    finally {
        const result_3 = __disposeResources(env_3);
        if (result_3)
            await result_3;
    }
}
async function toll(on, fleet, orders) {
    await on.command("CONFIG", "RESETSTAT");
    const { loads, waits } = await fleet.play(orders);
    return {
        loads,
        calls: waits.length,
        blocked: waits.filter((wait) => wait > BLOCKED_MS).length,
        p50Ms: quantile(waits, 0.5),
        p99Ms: quantile(waits, 0.99),
        commands: await commandsRun(on),
    };
}
/** How many commands the server has run since its counts were reset, less those of the bench. */
async function commandsRun(on) {
    const lines = String(await on.command("INFO", "commandstats")).matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm);
    const own = new Set(["config|resetstat", "info"]);
    let sum = 0;
    for (const [, name = "", calls] of lines)
        if (!own.has(name))
            sum += Number(calls);
    return sum;
}
var server, cases, packages, result;
const env_1 = { stack: [], error: void 0, hasError: false };
try {
    server = __addDisposableResource(env_1, await startServer(), true);
    cases = [];
    for (const { name, file } of subjects.filter(({ name }) => isWanted(name, options))) {
        try {
            const each = { name, cold: await cold(file), expiring: await expiring(file) };
            cases.push(each);
            console.log(`${name}: cold ${each.cold.loads} loads; expiring ${each.expiring.loads}, ${each.expiring.blocked} blocked`);
        }
        catch (error) {
            console.error(`${name} could not be measured:`, error);
            process.exitCode = 1;
        }
    }
    packages = ["@valkey/valkey-glide", "bentocache", "@epic-web/cachified", "cachified-redis-adapter"];
    packages.push("async-cache-dedupe", "cache-manager", "keyv", "@keyv/redis", "unstorage", "ioredis", "@redis/client");
    result = { environment: await environment(server.version, packages), cases };
    console.log(`\n${toMarkdown(herdTable(result))}`);
    if (!options.quick && options.only.length === 0 && !process.exitCode)
        await writeResult("herd", result);
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
