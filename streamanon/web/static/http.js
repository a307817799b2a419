// Calls to the server. Every failure is an Error with one line that can be shown.

async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { signal: AbortSignal.timeout(15000), ...options });
  } catch {
    throw new Error("streamanon does not answer");
  }
  if (response.status === 204) return null;
  let body = null;
  try {
    body = await response.json();
  } catch {
    body = null;
  }
  if (!response.ok) throw new Error(body?.error ?? `streamanon answered ${response.status}`);
  return body;
}

function send(method, path, body) {
  const headers = { "Content-Type": "application/json" };
  return call(path, { method, headers, body: JSON.stringify(body) });
}

export const get = (path) => call(path);
export const post = (path, body) => send("POST", path, body);
export const patch = (path, body) => send("PATCH", path, body);
export const remove = (path) => call(path, { method: "DELETE", keepalive: true });
export const streamPath = (name) => `api/streams/${encodeURIComponent(name)}`;
export const portraitPath = (name) => `api/identities/${encodeURIComponent(name)}/portrait.jpg`;
