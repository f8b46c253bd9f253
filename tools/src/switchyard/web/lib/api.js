// The services' REST API: the session's cookie goes along by itself, changes carry its CSRF token, problems become errors.

let csrf = "";
let onSignedOut = () => {};

/** What a service has refused: a problem detail (RFC 9457). */
export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail || (status ? `The service answered ${status}.` : "The service does not answer. Is it running, and are you online?"));
    this.status = status;
    this.kind = String(body?.type || "").split(":").pop();
    this.retryAfter = body?.retry_after;
  }
}

export function whenSignedOut(action) { onSignedOut = action; }

async function request(method, path, { body, form, headers = {}, signal, keepalive } = {}) {
  const options = { method, headers: { Accept: "application/json", ...headers }, signal, keepalive, credentials: "same-origin" };
  if (method !== "GET" && csrf) options.headers["X-CSRF-Token"] = csrf;
  if (body !== undefined) { options.body = JSON.stringify(body); options.headers["Content-Type"] = "application/json"; }
  if (form) options.body = form;
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, null);
  }
  if (response.ok) return response;
  const problem = new Problem(response.status, await response.json().catch(() => null));
  if (response.status === 401 && !headers.Authorization) onSignedOut(problem);
  throw problem;
}

export async function call(method, path, options) {
  const response = await request(method, path, options);
  return response.status === 204 ? null : response.json();
}

export const get = (path, options) => call("GET", path, options);
export const post = (path, body, options) => call("POST", path, { body, ...options });
export const put = (path, body) => call("PUT", path, { body });
export const patch = (path, body) => call("PATCH", path, { body });
export const remove = (path, options) => call("DELETE", path, options);

/** Begin a session with a key or the secret of a sign-in link; neither is kept. */
export async function signIn(secret) {
  const session = await call("POST", "/rag/v1/session", secret ? { headers: { Authorization: `Bearer ${secret}` } } : {});
  csrf = session.csrf_token;
  return session;
}

export async function session() {
  const found = await get("/rag/v1/session");
  csrf = found?.csrf_token ?? "";
  return found;
}

export async function signOut(everywhere) {
  await remove(everywhere ? "/rag/v1/sessions" : "/rag/v1/session");
  csrf = "";
}

/** Yield [event, data] of a stream of server-sent events. */
export async function* events(method, path, options = {}) {
  const response = await request(method, path, { ...options, headers: { Accept: "text/event-stream" } });
  options.onresponse?.(response);
  yield* read(response.body);
}

async function* read(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      let chunk;
      try {
        chunk = await reader.read();
      } catch (error) {
        if (error.name === "AbortError") throw error;
        throw new Problem(0, null);
      }
      if (chunk.done) return;
      const frames = (rest + chunk.value).split("\n\n");
      rest = frames.pop();
      for (const frame of frames) {
        let event = "message", data = "";
        for (const line of frame.split("\n")) {
          if (line.startsWith("event: ")) event = line.slice(7);
          else if (line.startsWith("data: ")) data += line.slice(6);
        }
        if (data) yield [event, JSON.parse(data)];
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Yield all items of a cursor list, page by page. */
export async function* pages(path, { limit = 100, signal } = {}) {
  let cursor = "";
  do {
    const page = await get(`${path}${path.includes("?") ? "&" : "?"}limit=${limit}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`, { signal });
    yield page.items;
    cursor = page.next_cursor || "";
  } while (cursor);
}
