// Drives RabbitMQ's management pages and its HTTP API:  record.mjs OUT a|b|c
import { client, record, rounds, variant } from "../browser.mjs";

const base = "http://127.0.0.1:15673";
const [out, name] = process.argv.slice(2);

const vhosts = variant(name, ["/", "orders", "warehouse", "staging", "reports", "mail"]).map(encodeURIComponent);
const queues = variant(name, ["invoices", "emails", "thumbnails", "audit.log", "retry-later", "search", "exports", "get",
  "newsletter", "refunds", "bindings", "sms", "parcels", "webhooks", "cleanup"]);
const exchanges = variant(name, ["events", "commands", "alerts", "source", "prices", "stock-changes", "billing"]);
const people = variant(name, ["alice", "bob", "carol", "dave", "erin", "frank", "limits"]);
const policies = variant(name, ["ha-all", "short-lived", "lazy", "big", "capped", "expiring"]);
const globals = variant(name, ["region", "owner", "contact", "tier", "banner"]);
const keys = ["created", "changed"];

async function pages(context) {
  const page = await context.newPage();
  await page.goto(base);
  if (await page.locator("input[name=username]").count()) {
    await page.locator("input[name=username]").fill("guest");
    await page.locator("input[name=password]").fill("guest");
    await page.locator("input[type=submit]").first().click();
    await page.waitForTimeout(1200);
  }
  const paths = ["/", "/connections", "/channels", "/exchanges", "/queues", "/users", "/vhosts", "/policies", "/limits", "/cluster-name"];
  for (const queue of queues.slice(0, 4)) paths.push(`/queues/${vhosts[0]}/${queue}`);
  for (const exchange of exchanges.slice(0, 3)) paths.push(`/exchanges/${vhosts[0]}/${exchange}`);
  for (const vhost of vhosts) paths.push(`/vhosts/${vhost}`);
  for (const person of people.slice(0, 3)) paths.push(`/users/${person}`);
  for (const path of paths) {
    await page.goto(`${base}/#${path}`);
    await page.waitForTimeout(900);
  }
  await page.close();
}

async function build(send) {
  for (const vhost of vhosts) {
    if (vhost !== "%2F") await send("PUT", `/api/vhosts/${vhost}`, { json: { description: "For tests", tags: "test" } });
    await send("PUT", `/api/permissions/${vhost}/guest`, { json: { configure: ".*", write: ".*", read: ".*" } });
  }
  for (const person of people) await send("PUT", `/api/users/${person}`, { json: { password: "correct-horse", tags: "monitoring" } });
  for (const vhost of vhosts) {
    for (const queue of queues) await send("PUT", `/api/queues/${vhost}/${queue}`, { json: { durable: true, auto_delete: false, arguments: {} } });
    for (const exchange of exchanges) await send("PUT", `/api/exchanges/${vhost}/${exchange}`, { json: { type: "topic", durable: true } });
  }
}

async function use(send, round) {
  const at = (list, i) => list[(i + round) % list.length];
  for (const [i, vhost] of vhosts.entries()) {
    for (const kind of ["queues", "exchanges", "bindings", "consumers", "policies", "operator-policies", "definitions", "vhost-limits", "aliveness-test"]) await send("GET", `/api/${kind}/${vhost}`);
    for (const part of ["", "/permissions", "/topic-permissions", "/connections", "/channels"]) await send("GET", `/api/vhosts/${vhost}${part}`);
    const limit = at(["max-queues", "max-connections"], i);
    await send("PUT", `/api/vhost-limits/${vhost}/${limit}`, { json: { value: 500 } });
    await send("DELETE", `/api/vhost-limits/${vhost}/${limit}`);
    for (const [j, policy] of policies.entries()) {
      await send("PUT", `/api/policies/${vhost}/${policy}`, { json: { pattern: "^a", definition: { "max-length": 1000 + j }, priority: j, "apply-to": "queues" } });
      await send("GET", `/api/policies/${vhost}/${policy}`);
      await send("PUT", `/api/operator-policies/${vhost}/${policy}`, { json: { pattern: "^z", definition: { "expires": 60000 }, "apply-to": "queues" } });
      await send("GET", `/api/operator-policies/${vhost}/${policy}`);
      if (j % 2) await send("DELETE", `/api/operator-policies/${vhost}/${policy}`);
    }
    for (const [j, queue] of queues.entries()) {
      const exchange = at(exchanges, j);
      await send("GET", `/api/queues/${vhost}/${queue}`);
      await send("POST", `/api/bindings/${vhost}/e/${exchange}/q/${queue}`, { json: { routing_key: at(keys, j), arguments: {} } });
      await send("GET", `/api/bindings/${vhost}/e/${exchange}/q/${queue}`);
      await send("GET", `/api/bindings/${vhost}/e/${exchange}/q/${queue}/${at(keys, j)}`);
      await send("POST", `/api/exchanges/${vhost}/${exchange}/publish`, { json: { properties: {}, routing_key: at(keys, j), payload: `number ${j}`, payload_encoding: "string" } });
      await send("GET", `/api/queues/${vhost}/${queue}/bindings`);
      await send("POST", `/api/queues/${vhost}/${queue}/get`, { json: { count: 2, ackmode: "ack_requeue_true", encoding: "auto", truncate: 50000 } });
      if (j % 3 === 0) await send("DELETE", `/api/bindings/${vhost}/e/${exchange}/q/${queue}/${at(keys, j)}`);
      if (j % 3 === 1) await send("DELETE", `/api/queues/${vhost}/${queue}/contents`);
    }
    for (const exchange of exchanges) {
      await send("GET", `/api/exchanges/${vhost}/${exchange}`);
      await send("GET", `/api/exchanges/${vhost}/${exchange}/bindings/source`);
      await send("GET", `/api/exchanges/${vhost}/${exchange}/bindings/destination`);
    }
    await send("POST", `/api/bindings/${vhost}/e/${exchanges[0]}/e/${exchanges[1]}`, { json: { routing_key: "all", arguments: {} } });
    await send("GET", `/api/bindings/${vhost}/e/${exchanges[0]}/e/${exchanges[1]}`);
    for (const person of people) {
      await send("PUT", `/api/permissions/${vhost}/${person}`, { json: { configure: "^$", write: ".*", read: ".*" } });
      await send("GET", `/api/permissions/${vhost}/${person}`);
      await send("PUT", `/api/topic-permissions/${vhost}/${person}`, { json: { exchange: exchanges[0], write: "^a", read: "^b" } });
      await send("GET", `/api/topic-permissions/${vhost}/${person}`);
    }
    await send("DELETE", `/api/topic-permissions/${vhost}/${people[0]}`);
    await send("DELETE", `/api/permissions/${vhost}/${people.at(-1)}`);
  }
  for (const person of people) {
    await send("GET", `/api/users/${person}`);
    await send("GET", `/api/users/${person}/permissions`);
    await send("GET", `/api/users/${person}/topic-permissions`);
    await send("PUT", `/api/user-limits/${person}/max-connections`, { json: { value: 20 } });
    await send("GET", `/api/user-limits/${person}`);
    await send("DELETE", `/api/user-limits/${person}/max-connections`);
  }
  for (const word of globals) {
    await send("PUT", `/api/global-parameters/${word}`, { json: { name: word, value: `is ${round}` } });
    await send("GET", `/api/global-parameters/${word}`);
  }
  await send("DELETE", `/api/global-parameters/${globals[0]}`);
  for (const path of ["overview", "cluster-name", "nodes", "extensions", "definitions", "connections", "channels", "consumers", "exchanges", "queues", "bindings",
    "vhosts", "users", "users/without-permissions", "user-limits", "whoami", "permissions", "topic-permissions", "parameters", "global-parameters", "policies",
    "operator-policies", "vhost-limits", "auth", "health/checks/alarms", "health/checks/local-alarms", "health/checks/virtual-hosts", "health/checks/port-listener/15674"]) {
    await send("GET", `/api/${path}`);
  }
  const nodes = await send("GET", "/api/nodes");
  for (const node of nodes) await send("GET", `/api/nodes/${node.name}`);
  await send("PUT", "/api/cluster-name", { json: { name: `house-${round}` } });
  await send("POST", "/api/rebalance/queues", { json: {} });
  for (const query of queues.slice(0, 5)) await send("GET", "/api/queues", { query: { page: 1, page_size: 10, name: query, use_regex: false, pagination: true } });
  await send("GET", `/api/queues/${vhosts[0]}/no-such-queue`);
}

async function clear(send) {
  await send("DELETE", `/api/queues/${vhosts[0]}/${queues[0]}`);
  await send("DELETE", `/api/queues/${vhosts[1]}/${queues[1]}`);
  await send("DELETE", `/api/exchanges/${vhosts[0]}/${exchanges[1]}`);
  await send("DELETE", `/api/policies/${vhosts[0]}/${policies[0]}`);
  await send("DELETE", `/api/policies/${vhosts[1]}/${policies[1]}`);
  await send("POST", "/api/users/bulk-delete", { json: { users: [people[1]] } });
  await send("DELETE", `/api/users/${people[0]}`);
  await send("DELETE", `/api/vhosts/${vhosts.at(-1)}`);
}

await record(out, async (context) => {
  const headers = { authorization: `Basic ${btoa("guest:guest")}` };
  const raw = await client(context, `${base}/api/index.html`);
  const send = (method, path, options = {}) => raw(method, path, { ...options, headers });
  await build(send);
  for (let round = 0; round < rounds(name); round++) {
    await use(send, round);
    await pages(context);
  }
  await clear(send);
});
