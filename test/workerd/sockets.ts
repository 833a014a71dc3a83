import { connect as dial } from "cloudflare:sockets";
import type { ByteStreams, Connector } from "../../src/connection/iovalkey/connector.js";

export const sockets: Connector = ({ host, port }) => dial({ hostname: host, port });

/** Dials likewise, and tells how often clients have waited for the server: all that one sends until it answers counts once. */
export function countedSockets(): { connector: Connector; roundTrips: () => number } {
  let roundTrips = 0;
  const connector: Connector = async (target) => {
    let isServersTurn = false;
    return listen(await sockets(target), {
      said() {
        isServersTurn = true;
      },
      heard() {
        if (isServersTurn) roundTrips++;
        isServersTurn = false;
      },
    });
  };
  return { connector, roundTrips: () => roundTrips };
}

function listen({ readable, writable }: ByteStreams, { said, heard }: { said(): void; heard(): void }): ByteStreams {
  const [reader, writer] = [readable.getReader(), writable.getWriter()];
  return {
    readable: new ReadableStream({
      async pull(to) {
        const { done, value } = await reader.read();
        heard();
        if (done) to.close();
        else to.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    }),
    writable: new WritableStream({
      write(chunk) {
        said();
        return writer.write(chunk);
      },
      close: () => writer.close(),
      abort: (reason) => writer.abort(reason),
    }),
  };
}
