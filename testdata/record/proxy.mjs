// A forward HTTP proxy that records what passes through it as HAR 1.2, for
// clients that are not browsers. Plain HTTP only.
import { createServer, request } from "node:http";
import { writeFileSync } from "node:fs";

// recordingProxy listens on a free loopback port. close() writes the HAR.
export async function recordingProxy(out) {
  const entries = [];
  const server = createServer((from, to) => {
    const started = new Date();
    const sent = [];
    from.on("data", (chunk) => sent.push(chunk));
    const forward = request(from.url, { method: from.method, headers: from.headers, agent: false }, (answer) => {
      const received = [];
      to.writeHead(answer.statusCode, answer.statusMessage, answer.headers);
      answer.on("data", (chunk) => received.push(chunk));
      answer.pipe(to);
      answer.on("end", () => entries.push(entry(from, Buffer.concat(sent), answer, Buffer.concat(received), started)));
    });
    forward.on("error", (error) => to.destroy(error));
    from.pipe(forward);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
      entries.sort((a, b) => a.startedDateTime.localeCompare(b.startedDateTime));
      const log = { version: "1.2", creator: { name: "recording proxy", version: "1" }, entries };
      writeFileSync(out, JSON.stringify({ log }, null, 1));
    },
  };
}

function entry(from, sent, answer, received, started) {
  const time = Date.now() - started;
  const url = new URL(from.url);
  return {
    startedDateTime: started.toISOString(),
    time,
    request: {
      method: from.method, url: from.url, httpVersion: `HTTP/${from.httpVersion}`,
      headers: pairs(from.rawHeaders), cookies: [], headersSize: -1, bodySize: sent.length,
      queryString: [...url.searchParams].map(([name, value]) => ({ name, value })),
      ...(sent.length ? { postData: { mimeType: from.headers["content-type"] ?? "", text: sent.toString() } } : {}),
    },
    response: {
      status: answer.statusCode, statusText: answer.statusMessage, httpVersion: `HTTP/${answer.httpVersion}`,
      headers: pairs(answer.rawHeaders), cookies: [], redirectURL: answer.headers.location ?? "",
      content: {
        size: received.length, mimeType: answer.headers["content-type"] ?? "",
        // The bytes as they came, still gzip where the server compressed them.
        ...(received.length ? { text: received.toString("base64"), encoding: "base64" } : {}),
      },
      headersSize: -1, bodySize: received.length,
    },
    cache: {},
    timings: { send: 0, wait: time, receive: 0 },
  };
}

function pairs(raw) {
  const headers = [];
  for (let i = 0; i < raw.length; i += 2) headers.push({ name: raw[i], value: raw[i + 1] });
  return headers;
}
