var __addDisposableResource =
  (this && this.__addDisposableResource) ||
  ((env, value, async) => {
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
      if (inner)
        dispose = function () {
          try {
            inner.call(this);
          } catch (e) {
            return Promise.reject(e);
          }
        };
      env.stack.push({ value: value, dispose: dispose, async: async });
    } else if (async) {
      env.stack.push({ async: true });
    }
    return value;
  });
var __disposeResources =
  (this && this.__disposeResources) ||
  ((SuppressedError) => (env) => {
    function fail(e) {
      env.error = env.hasError ? new SuppressedError(e, env.error, "An error was suppressed during disposal.") : e;
      env.hasError = true;
    }
    var r,
      s = 0;
    function next() {
      while ((r = env.stack.pop())) {
        try {
          if (!r.async && s === 1) return ((s = 0), env.stack.push(r), Promise.resolve().then(next));
          if (r.dispose) {
            var result = r.dispose.call(r.value);
            if (r.async)
              return (
                (s |= 2),
                Promise.resolve(result).then(next, (e) => {
                  fail(e);
                  return next();
                })
              );
          } else s |= 1;
        } catch (e) {
          fail(e);
        }
      }
      if (s === 1) return env.hasError ? Promise.reject(env.error) : Promise.resolve();
      if (env.hasError) throw env.error;
    }
    return next();
  })(
    typeof SuppressedError === "function"
      ? SuppressedError
      : (error, suppressed, message) => {
          var e = new Error(message);
          return ((e.name = "SuppressedError"), (e.error = error), (e.suppressed = suppressed), e);
        },
  );

import { createServer } from "node:http";
import { describe, expect, inject, it } from "vitest";
import { HOST, listenAnywhere } from "../support/ports.js";
import { startValkey } from "../support/servers.js";
import { startService } from "./service.js";

const QUESTION = "/cities/search?q=berlin&n=3";
async function ask(url) {
  const response = await fetch(`${url}${QUESTION}`);
  expect(response.status).toBe(200);
  return { from: response.headers.get("x-cache"), body: await response.json() };
}
it("prints its address, serves the page and answers from memory", async () => {
  const env_1 = { stack: [], error: void 0, hasError: false };
  try {
    const service = __addDisposableResource(env_1, await startService(), true);
    expect(service.output()).toMatch(/^Listening on http:\/\/localhost:\d+ \(cache: in memory;/);
    expect(await (await fetch(service.url)).text()).toMatch(/^<!doctype html>/);
    const first = await ask(service.url);
    expect(first).toMatchObject({ from: "miss", body: { results: [{ name: "Berlin", country: "DE" }, {}, {}] } });
    expect(await ask(service.url)).toEqual({ from: "hit", body: first.body });
  } catch (e_1) {
    env_1.error = e_1;
    env_1.hasError = true;
  } finally {
    const result_1 = __disposeResources(env_1);
    if (result_1) await result_1;
  }
});
it("keeps answers in Valkey, for the next process too", async () => {
  const env_2 = { stack: [], error: void 0, hasError: false };
  try {
    const valkey = __addDisposableResource(env_2, await startValkey(), true);
    const env = { VALKEY_URL: valkey.url };
    const service = __addDisposableResource(env_2, await startService(env), true);
    expect((await ask(service.url)).from).toBe("miss");
    service.kill("SIGTERM");
    expect(await service.ended).toBe(0);
    const next = __addDisposableResource(env_2, await startService(env), true);
    expect((await ask(next.url)).from).toBe("hit");
  } catch (e_2) {
    env_2.error = e_2;
    env_2.hasError = true;
  } finally {
    const result_2 = __disposeResources(env_2);
    if (result_2) await result_2;
  }
});
it("answers without the store while that is down", async () => {
  const env_3 = { stack: [], error: void 0, hasError: false };
  try {
    const valkey = __addDisposableResource(env_3, await startValkey(), true);
    const service = __addDisposableResource(env_3, await startService({ VALKEY_URL: valkey.url }), true);
    await ask(service.url);
    await valkey.kill("SIGKILL");
    expect((await ask(service.url)).from).toBe("miss");
  } catch (e_3) {
    env_3.error = e_3;
    env_3.hasError = true;
  } finally {
    const result_3 = __disposeResources(env_3);
    if (result_3) await result_3;
  }
});
describe.each(["SIGINT", "SIGTERM"])("on %s", (signal) => {
  it.each(["memory:", "valkey"])("ends with code 0, also with a connection kept alive, on %s", async (store) => {
    const env_4 = { stack: [], error: void 0, hasError: false };
    try {
      const service = __addDisposableResource(
        env_4,
        await startService({ VALKEY_URL: store === "valkey" ? inject("valkeyUrl") : store }),
        true,
      );
      await ask(service.url);
      service.kill(signal);
      expect(await service.ended).toBe(0);
      expect(service.output()).not.toMatch(/error/i);
    } catch (e_4) {
      env_4.error = e_4;
      env_4.hasError = true;
    } finally {
      const result_4 = __disposeResources(env_4);
      if (result_4) await result_4;
    }
  });
});
describe("says what is wrong, in one line, and ends with code 1", () => {
  it.each([
    [{ PORT: "http" }, /^PORT: "http" is not a port; give a number from 0 to 65535\n$/],
    [{ PORT: "65536" }, /^PORT: "65536" is not a port/],
    [{ VALKEY_URL: "mysql://localhost" }, /^location: mysql:\/\/localhost has none of the schemes .*\n$/],
  ])("with %j", async (env, message) => {
    const env_5 = { stack: [], error: void 0, hasError: false };
    try {
      const service = __addDisposableResource(env_5, await startService(env), true);
      expect(await service.ended).toBe(1);
      expect(service.output()).toMatch(message);
    } catch (e_5) {
      env_5.error = e_5;
      env_5.hasError = true;
    } finally {
      const result_5 = __disposeResources(env_5);
      if (result_5) await result_5;
    }
  });
  it("with a port that is taken", async () => {
    const other = createServer();
    const port = await listenAnywhere(other);
    try {
      const env_6 = { stack: [], error: void 0, hasError: false };
      try {
        const service = __addDisposableResource(env_6, await startService({ PORT: String(port) }), true);
        expect(await service.ended).toBe(1);
        expect(service.output()).toMatch(
          new RegExp(`^listen EADDRINUSE: .*${HOST}:${port}; set PORT to another port.*\n$`),
        );
      } catch (e_6) {
        env_6.error = e_6;
        env_6.hasError = true;
      } finally {
        const result_6 = __disposeResources(env_6);
        if (result_6) await result_6;
      }
    } finally {
      other.close();
    }
  });
});
