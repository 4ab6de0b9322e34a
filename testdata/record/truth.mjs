// Writes what a recording really used, from the program's own routes:
//   truth.mjs ROUTES OUT HAR...
// and fails on a successful exchange that no route explains. A .txt lists the
// operations that answered, in the words of the routes; a .json also has their
// parameters and every call with the operation it was.
import { readFileSync, writeFileSync } from "node:fs";

const [routesFile, out, ...hars] = process.argv.slice(2);

const routes = readFileSync(routesFile, "utf8").split("\n").filter((line) => line && !line.startsWith("#")).map((line) => {
  const [kind, method, template, ...aliases] = line.split(" ");
  const names = [];
  const pattern = template.split(/(\{[^}]*\})/).map((part) => {
    if (!part.startsWith("{")) return part.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
    names.push(part.slice(1, -1));
    return part.endsWith("...}") ? "(.*)" : "([^/]+)";
  }).join("");
  // Literals win over parameters, from the left: the order in which a router tries.
  const rank = template.split("/").map((s) => (s.endsWith("...}") ? 3 : s.startsWith("{") ? 2 : s.includes("{") ? 1 : 0)).join("");
  return { kind, method, template, aliases, names, rank, matches: new RegExp(`^${pattern}/?$`, "i") };
}).sort((a, b) => (a.rank < b.rank ? -1 : 1));

const operations = new Map();
const calls = [];
const unknown = new Set();
const hosts = new Map();
let entries = 0;
for (const har of hars) {
  for (const { request, response } of JSON.parse(readFileSync(har)).log.entries) {
    entries++;
    const url = new URL(request.url);
    if (response.status < 200 || response.status >= 400 || url.hostname !== "127.0.0.1") continue;
    hosts.set(url.host, true);
    const route = routes.find((r) => r.method === request.method && r.matches.test(url.pathname));
    const page = route?.kind === "page" && !(response.content.mimeType ?? "").includes("json");
    if (!route || (route.kind === "page" && !page)) unknown.add(`${request.method} ${url.pathname}`);
    if (route?.kind !== "tool") continue;
    const key = `${route.method} ${route.template}`;
    if (!operations.has(key)) {
      operations.set(key, { method: route.method, host: url.host, template: route.template, aliases: route.aliases, calls: 0,
        path_params: Object.fromEntries(route.names.map((name) => [name, new Set()])), query: new Set(), body: new Set(), statuses: new Set(), body_types: new Set() });
    }
    const operation = operations.get(key);
    operation.calls++;
    url.pathname.match(route.matches).slice(1).forEach((value, i) => operation.path_params[route.names[i]].add(value));
    for (const name of url.searchParams.keys()) operation.query.add(name);
    for (const name of bodyFields(request.postData)) operation.body.add(name);
    operation.statuses.add(response.status);
    if (request.postData?.mimeType) operation.body_types.add(request.postData.mimeType.split(";")[0]);
    calls.push([key, url.pathname]);
  }
}
if (unknown.size) {
  console.error(`no route explains:\n  ${[...unknown].sort().join("\n  ")}`);
  process.exit(1);
}

function bodyFields(data) {
  if (!data?.text) return [];
  if (data.mimeType.startsWith("application/x-www-form-urlencoded")) return new URLSearchParams(data.text).keys();
  try {
    const body = JSON.parse(data.text);
    return body && typeof body === "object" && !Array.isArray(body) ? Object.keys(body) : [];
  } catch {
    return [];
  }
}

const keys = [...operations.keys()].sort();
const either = routes.filter((r) => r.kind === "either");
writeFileSync(out, out.endsWith(".txt") ? list() : JSON.stringify({
  source: routesFile.split("/").at(-2), hosts: [...hosts.keys()], entries,
  operations: keys.map((key) => {
    const o = operations.get(key);
    return { ...o, query: [...o.query].sort(), body: [...o.body].sort(), statuses: [...o.statuses].sort(), body_types: [...o.body_types].sort(),
      path_params: Object.fromEntries(Object.entries(o.path_params).map(([name, values]) => [name, { kind: "name", distinct: values.size }])) };
  }),
  calls: calls.map(([key, path]) => [keys.indexOf(key), path]),
  either: either.map((r) => [r.method, r.template]),
}));
console.log(`${out}: ${keys.length} operations, ${calls.length} calls of ${entries} entries`);

function list() {
  const lines = keys.map((key) => ["tool", key, ...operations.get(key).aliases].join(" "));
  return [...lines, ...either.map((r) => `either ${r.method} ${r.template}`)].join("\n") + "\n";
}
