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
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { expect, inject, it } from "vitest";
import { command } from "./command.js";
import { startValkey } from "./servers.js";
import { until } from "./wait.js";
/** A process that starts a server and stays. */
const STARTER = `
  const { startValkey } = await import(${JSON.stringify(new URL("servers.ts", import.meta.url))});
  const server = await startValkey();
  console.log(server.pid + " " + server.port);
  setInterval(() => {}, 1_000);
`;
/** Lets Node find the sources, which name each other as they are named once compiled. */
const HOOKS = `
  import { registerHooks } from "node:module";
  const toSource = (name, from) => (from?.endsWith(".ts") && name.startsWith(".") ? name.replace(/js$/, "ts") : name);
  registerHooks({ resolve: (name, context, next) => next(toSource(name, context.parentURL), context) });
`;
it("gives a server that answers, and nothing after it was stopped", async () => {
    const server = await startValkey();
    await expect(command(server.port, ["PING"])).resolves.toBe("PONG");
    const [, folder] = (await command(server.port, ["CONFIG", "GET", "dir"]));
    await server.stop();
    await expect(command(server.port, ["PING"])).rejects.toThrow();
    expect(isRunning(server.pid)).toBe(false);
    expect(existsSync(folder)).toBe(false);
});
it("gives each caller a server of its own", async () => {
    const env_1 = { stack: [], error: void 0, hasError: false };
    try {
        const one = __addDisposableResource(env_1, await startValkey(), true);
        const other = __addDisposableResource(env_1, await startValkey(), true);
        expect(other.port).not.toBe(one.port);
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
it("passes arguments on, and starts a server that wants a password", async () => {
    const env_2 = { stack: [], error: void 0, hasError: false };
    try {
        const server = __addDisposableResource(env_2, await startValkey({ args: ["--requirepass", "secret"] }), true);
        await expect(command(server.port, ["PING"])).rejects.toThrow("NOAUTH");
        await expect(command(server.port, ["PING"], { password: "secret" })).resolves.toBe("PONG");
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
});
it("tells what the server said when it can't start", async () => {
    await expect(startValkey({ args: ["--maxmemory", "lots"] })).rejects.toThrow(/maxmemory/);
});
it("restarts a killed server, empty, on the same port", async () => {
    const env_3 = { stack: [], error: void 0, hasError: false };
    try {
        const server = __addDisposableResource(env_3, await startValkey(), true);
        await command(server.port, ["SET", "key", "value"]);
        const { pid, port } = server;
        await server.kill("SIGKILL");
        expect(isRunning(pid)).toBe(false);
        await server.restart();
        expect(server.port).toBe(port);
        await expect(command(port, ["GET", "key"])).resolves.toBeNull();
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
});
it("stops a server that hangs", async () => {
    const server = await startValkey();
    await server.kill("SIGSTOP");
    await expect(command(server.port, ["PING"], { timeoutMs: 50 })).rejects.toThrow();
    await server.stop();
    expect(isRunning(server.pid)).toBe(false);
});
it("leaves no server and no file behind when the process that started it is killed", async () => {
    const hooks = `data:text/javascript,${encodeURIComponent(HOOKS)}`;
    const starter = spawn(process.execPath, ["--import", hooks, "--input-type=module", "--eval", STARTER]);
    const [line] = (await once(starter.stdout, "data"));
    const [pid, port] = String(line).split(" ").map(Number);
    const [, folder] = (await command(port, ["CONFIG", "GET", "dir"]));
    starter.kill("SIGKILL");
    await until(() => !isRunning(pid) && !existsSync(folder), { what: "the server to end" });
});
it("shares one standalone server with all test files", async () => {
    await expect(command(Number(new URL(inject("valkeyUrl")).port), ["PING"])).resolves.toBe("PONG");
});
function isRunning(pid) {
    try {
        return process.kill(pid, 0);
    }
    catch {
        return false;
    }
}
