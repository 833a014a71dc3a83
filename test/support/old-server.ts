import { connect, createServer, type Socket } from "node:net";
import { HOST, listenAnywhere } from "./ports.js";

export interface OldServer extends AsyncDisposable {
  readonly url: string;
  /** How many claims in one command it refused. */
  readonly refused: number;
}

/**
 * Makes a server answer as those before 7.0 do: SET with both NX and GET is a syntax error. Requests are changed on their
 * way, so that the error is the server's own.
 */
export async function startOldServer({ port }: { readonly port: number }): Promise<OldServer> {
  let refused = 0;
  const clients = new Set<Socket>();
  const listener = createServer((client) => {
    const server = connect(port, HOST);
    clients.add(client);
    let received = Buffer.alloc(0);
    client.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      for (let end = lengthOfCommand(received); end > 0; end = lengthOfCommand(received)) {
        const command = received.subarray(0, end);
        const isClaim = NX_GET.test(command.toString("latin1"));
        if (isClaim) refused++;
        server.write(isClaim ? Buffer.from(command.toString("latin1").replace(NX_GET, NO_OPTION), "latin1") : command);
        received = received.subarray(end);
      }
    });
    server.on("data", (chunk) => client.write(chunk));
    for (const [one, other] of [[client, server] as const, [server, client] as const]) {
      one.on("error", () => {}).once("close", () => other.destroy());
    }
  });
  const ownPort = await listenAnywhere(listener);
  return {
    url: `valkey://${HOST}:${ownPort}`,
    get refused() {
      return refused;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}

const NX_GET = /\$2\r\nNX\r\n\$3\r\nGET\r\n/;
/** As long as the original, and a syntax error in every version. */
const NO_OPTION = "$2\r\nNX\r\n$3\r\nGOT\r\n";

/** The length of the first command in RESP; 0 while it is incomplete. */
function lengthOfCommand(bytes: Buffer): number {
  const lineEnd = (from: number) => bytes.indexOf("\r\n", from);
  let end = lineEnd(0);
  if (end < 0) return 0;
  const parts = Number(bytes.subarray(1, end).toString());
  let at = end + 2;
  for (let i = 0; i < parts; i++) {
    end = lineEnd(at);
    if (end < 0) return 0;
    at = end + 2 + Number(bytes.subarray(at + 1, end).toString()) + 2;
    if (at > bytes.length) return 0;
  }
  return at;
}
