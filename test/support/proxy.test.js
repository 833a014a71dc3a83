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
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { HOST, listenAnywhere } from "./ports.js";
import { startProxy } from "./proxy.js";
import { until } from "./wait.js";
const echo = createServer((socket) => void socket.pipe(socket).on("error", () => { }));
let proxy;
beforeEach(async () => {
    const port = echo.listening ? echo.address().port : await listenAnywhere(echo);
    proxy = await startProxy({ port });
    return () => proxy.close();
});
it("passes bytes on both ways, and ends both ways", async () => {
    const client = await dial();
    await expect(say(client, "hello")).resolves.toBe("hello");
    client.end();
    await once(client, "close");
    await until(() => proxy.connections === 0, { what: "the connection to be forgotten" });
});
it("counts connections, and what a client sends before the answer as one round trip", async () => {
    const [one, other] = [await dial(), await dial()];
    await say(one, "a");
    await say(one, "b");
    await say(other, "c");
    expect(proxy).toMatchObject({ connections: 2, accepted: 2, roundTrips: 3 });
});
it("swallows bytes while paused, and leaves connections open", async () => {
    const client = await dial();
    proxy.pause();
    client.write("lost");
    await until(() => proxy.roundTrips === 1, { what: "the bytes to be swallowed" });
    proxy.resume();
    await expect(say(client, "kept")).resolves.toBe("kept");
});
it("resets open connections", async () => {
    const client = await dial();
    await say(client, "hello");
    const lost = once(client, "error");
    proxy.reset();
    await expect(lost).resolves.toMatchObject([{ code: "ECONNRESET" }]);
});
it("refuses connections until it accepts them again, on the same port", async () => {
    const early = await dial();
    proxy.refuse();
    await expect(dial()).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await expect(say(early, "still here")).resolves.toBe("still here");
    await proxy.accept();
    await expect(say(await dial(), "again")).resolves.toBe("again");
});
it("delays traffic, in order", async () => {
    const client = await dial();
    proxy.delay(30);
    const startMs = performance.now();
    await expect(say(client, "slow")).resolves.toBe("slow");
    expect(performance.now() - startMs).toBeGreaterThan(55);
});
it("passes on one byte at a time when throttled", async () => {
    const client = await dial();
    proxy.throttle();
    const sizes = [];
    client.on("data", (chunk) => sizes.push(chunk.length));
    await expect(say(client, "drops")).resolves.toBe("drops");
    expect(sizes.length).toBeGreaterThan(1);
});
it("resets clients whose server is not there", async () => {
    const env_1 = { stack: [], error: void 0, hasError: false };
    try {
        const lone = __addDisposableResource(env_1, await startProxy({ port: 1 }), true);
        const client = connect(lone.port, HOST);
        await expect(once(client, "error")).resolves.toMatchObject([{ code: "ECONNRESET" }]);
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
const dialled = [];
afterEach(() => {
    for (const socket of dialled.splice(0))
        socket.destroy();
});
async function dial() {
    const socket = connect(proxy.port, HOST);
    dialled.push(socket);
    await once(socket, "connect");
    await until(() => proxy.connections > 0, { what: "the proxy to take the connection" });
    return socket;
}
/** Sends text and gives the same number of characters of the answer. */
async function say(socket, text) {
    let answer = "";
    const listen = (chunk) => {
        answer += chunk;
    };
    socket.on("data", listen);
    socket.write(text);
    await until(() => answer.length >= text.length, { what: `an answer to ${text}`, everyMs: 1 });
    socket.off("data", listen);
    return answer;
}
