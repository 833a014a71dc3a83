import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { Fields } from "../http/rfc/message.js";
import { headerViews, pathOf } from "./request.js";

/** A socket that leads nowhere: what is written to it is dropped. */
class InertSocket extends Socket {
  readonly encrypted: boolean;

  constructor(encrypted: boolean) {
    super();
    this.encrypted = encrypted;
    // An unconnected socket would wait for its connection.
    this._write = (_chunk, _encoding, callback) => callback();
    this._writev = (_chunks, callback) => callback();
    this._final = (callback) => callback();
    this._read = () => {};
  }
}

/** A GET that no client has sent, in the form in which Node gives requests to a listener. */
export function syntheticRequest(url: string, fields: Fields): { req: IncomingMessage; res: ServerResponse } {
  const socket = new InertSocket(url.startsWith("https:"));
  const req = new IncomingMessage(socket);
  const { headers, headersDistinct, rawHeaders } = headerViews(fields);
  Object.assign(req, { method: "GET", url: pathOf(url), httpVersion: "1.1", httpVersionMajor: 1, httpVersionMinor: 1 });
  Object.assign(req, { headers, headersDistinct, rawHeaders, complete: true });
  req.push(null);
  const res = new ServerResponse(req);
  res.assignSocket(socket);
  // As a server does when a response has been sent.
  res.on("finish", () => {
    res.detachSocket(socket);
    socket.destroy();
    process.nextTick(() => res.emit("close"));
  });
  return { req, res };
}
