import { Agent, get } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const HOST = "127.0.0.1";
const CONNECTIONS = 50;
/** Distinct URLs of the requests that hit. */
const HOT = 100;
let id = 0;

/** Of ten requests, seven hit, two miss, and the client of one leaves before it has the response. */
export async function sendMix(port: number, requests: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const endAt = id + requests;
  const client = async (): Promise<void> => {
    while (id < endAt) {
      const own = id++;
      if (own % 10 === 9) await leave(port, own);
      else await request(port, own % 10 < 7 ? `/hit/${own % HOT}` : `/miss/${own}`, agent);
    }
  };
  try {
    await Promise.all(Array.from({ length: CONNECTIONS }, client));
  } finally {
    agent.destroy();
  }
}

function request(port: number, path: string, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    get({ host: HOST, port, path, agent }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${path} was answered with status ${response.statusCode}`));
      response.resume().once("end", resolve).once("error", reject);
    }).once("error", reject);
  });
}

/** Leaves at once, in the middle of the response, or while it waits for a response to share with an earlier client. */
function leave(port: number, own: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const path = `/aborted/${own - (own % 40)}`;
    const socket = connect({ port, host: HOST });
    const end = (): void => {
      socket.resetAndDestroy();
      resolve();
    };
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${HOST}:${port}\r\n\r\n`);
      if (own % 20 === 9) socket.once("data", end);
      else sleep(1).then(end);
    });
  });
}
