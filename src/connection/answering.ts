import type { Socket } from "node:net";
import type { Address } from "../core/location.js";

/**
 * Resolves once one of some servers says anything at all. Certificates aren't checked and nobody logs in: what follows
 * does that.
 * @throws {Error} when none does within `timeoutMs`
 */
export async function answering(addresses: readonly Address[], isTls: boolean, timeoutMs: number): Promise<void> {
  const { connect } = isTls ? secure(await import("node:tls")) : await import("node:net");
  const sockets = addresses.map(({ host, port }) => connect({ host, port }));
  try {
    await Promise.any(sockets.map((socket) => answer(socket, timeoutMs)));
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

function secure(tls: typeof import("node:tls")) {
  return { connect: (address: Address) => tls.connect({ ...address, rejectUnauthorized: false }) };
}

function answer(socket: Socket, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    socket.once("close", () => {
      clearTimeout(late);
      reject(new Error("the connection was closed without an answer"));
    });
    socket.once("error", reject);
    socket.once("data", () => resolve());
    socket.write("PING\r\n");
  });
}
