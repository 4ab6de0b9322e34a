// Opens a browser context that records every exchange to a HAR file.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

// record runs flow(context) in a fresh headless Chromium and writes what it
// exchanged to out: a .har with the bodies inside, or a .zip with the bodies
// as files of their own.
export async function record(out, flow) {
  const profile = mkdtempSync(join(tmpdir(), "record-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
      // The recorded program and nothing else.
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
    recordHar: { path: out, mode: "full", content: out.endsWith(".zip") ? "attach" : "embed" },
  });
  try {
    await flow(context);
  } finally {
    await context.close(); // writes the HAR
    rmSync(profile, { recursive: true, force: true });
  }
}

// client opens a page at url and returns a function that sends one request from
// there, as a program in the browser does: send(method, path, {query, form,
// json, headers}). Playwright's own request object would not be recorded.
export async function client(context, url) {
  const page = await context.newPage();
  await page.goto(url);
  return (method, path, { query = {}, form, json, headers = {} } = {}) => page.evaluate(async (r) => {
    const params = Object.entries(r.query).flatMap(([k, v]) => [v].flat().map((one) => [k, one]));
    const body = r.form ? new URLSearchParams(r.form) : r.json === undefined ? undefined : JSON.stringify(r.json);
    if (r.json !== undefined) r.headers = { "content-type": "application/json", ...r.headers };
    const search = params.length ? `?${new URLSearchParams(params)}` : "";
    const response = await fetch(r.path + search, { method: r.method, headers: r.headers, body });
    const text = await response.text(); // a body that nobody reads is not recorded
    try { return JSON.parse(text); } catch { return text; }
  }, { method, path, query, form, json, headers });
}

// variant returns the part of the words that a recording uses. The variants
// overlap in part, as two afternoons of the same person's work would.
export function variant(name, words) {
  const n = words.length;
  switch (name) {
    case "a": return words.slice(0, Math.ceil(n * 0.4));
    case "b": return words.slice(Math.floor(n * 0.25));
    case "c": return words.slice(-Math.max(2, Math.floor(n * 0.15)));
  }
  throw new Error(`unknown variant ${name}: want a, b or c`);
}

// rounds is how often a recording repeats its calls.
export const rounds = (name) => ({ a: 1, b: 2, c: 1 })[name];
