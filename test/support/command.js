import { Redis } from "iovalkey";
import { HOST } from "./ports.js";
/** Sends one command over a connection of its own. */
export async function command(port, [name, ...args], { password, timeoutMs = 1_000 } = {}) {
    const client = new Redis({
        host: HOST,
        port,
        ...(password === undefined ? {} : { password }),
        lazyConnect: true,
        enableReadyCheck: false,
        retryStrategy: () => null,
        maxRetriesPerRequest: 0,
        connectTimeout: timeoutMs,
        commandTimeout: timeoutMs,
    });
    // The command rejects with what went wrong; the event tells nothing more.
    client.on("error", () => { });
    try {
        return await client.call(name, ...args);
    }
    finally {
        client.disconnect();
    }
}
