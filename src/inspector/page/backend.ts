import type { Failure } from "../api.js";

/** An answer of the server that is no success, or no answer (`status` is 0). */
export class ServerError extends Error {
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }

  /** The application's `authorize` has refused the request. */
  get isRefusal(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

/** Paths are relative to the page, so that it works wherever it is mounted. */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await request(path, { headers: { accept: "application/json" }, ...(signal && { signal }) });
  return response.json();
}

/** The lines of an answer in JSON. Breaking out of the loop ends the request, and with it the server's work. */
export async function* getLines<T>(path: string, options: { signal: AbortSignal; body?: unknown; token?: string }) {
  const { signal, body, token } = options;
  const headers = { "content-type": "application/json", "x-csrf-token": token ?? "" };
  const response = await request(
    path,
    body === undefined ? { signal } : { signal, method: "POST", headers, body: JSON.stringify(body) },
  );
  for await (const line of linesOf(response)) if (line !== "") yield JSON.parse(line) as T;
}

/** The data of server-sent events of one name. Comments and other fields of the stream are skipped. */
export async function* getEvents<T>(path: string, name: string, signal: AbortSignal) {
  const response = await request(path, { headers: { accept: "text/event-stream" }, signal });
  let event = "message";
  let text = "";
  for await (const line of linesOf(response)) {
    if (line.startsWith("event:")) event = line.slice(6).trim();
    else if (line.startsWith("data:")) text += line.slice(5);
    else if (line === "") {
      if (event === name && text !== "") yield JSON.parse(text) as T;
      event = "message";
      text = "";
    }
  }
}

async function request(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { ...init, cache: "no-store", credentials: "same-origin", redirect: "manual" });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ServerError("The service doesn't answer. Check that it runs, and that this browser can reach it.", 0);
  }
  // Applications redirect to a login where a session has ended.
  if (response.type === "opaqueredirect") throw new ServerError("The service asks you to log in again.", 401);
  if (!response.ok) throw new ServerError(await reason(response), response.status);
  return response;
}

async function reason(response: Response): Promise<string> {
  try {
    const { error }: Partial<Failure> = await response.json();
    if (typeof error === "string") return error;
  } catch {
    // Not from the inspector: a proxy, or the application.
  }
  return `The service answered with status ${response.status}.`;
}

async function* linesOf(response: Response): AsyncGenerator<string> {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    let rest = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const lines = (rest + part.value).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) yield line.endsWith("\r") ? line.slice(0, -1) : line;
    }
    if (rest !== "") yield rest;
  } finally {
    reader.cancel().catch(() => undefined);
  }
}
