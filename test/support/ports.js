import { createServer } from "node:net";
export const HOST = "127.0.0.1";
/**
 * Below the ports that systems hand out to outgoing connections (from 32768 on): nobody takes such a port while its
 * server is down, and a client that dials it meanwhile can't be connected to itself.
 */
const LOWEST = 15_000;
const HIGHEST = 31_999;
/** A port that nothing listens on just now. */
export async function freePort() {
    const server = createServer();
    const port = await listenAnywhere(server);
    await new Promise((resolve) => server.close(resolve));
    return port;
}
/** Listens on a port that was free, and tells which. */
export async function listenAnywhere(server) {
    for (;;) {
        const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST + 1));
        try {
            await listen(server, port);
            return port;
        }
        catch (error) {
            if (error.code !== "EADDRINUSE")
                throw error;
        }
    }
}
export function listen(server, port) {
    return new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, HOST, () => {
            server.off("error", reject);
            resolve();
        });
    });
}
