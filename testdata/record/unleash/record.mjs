// Drives Unleash's web pages and its admin and client APIs:  record.mjs OUT a|b|c
import { client, record, rounds, variant } from "../browser.mjs";

const base = "http://127.0.0.1:14242";
const [out, name] = process.argv.slice(2);

const projects = ["default"]; // the open source edition has this one
const flags = variant(name, ["dark-mode", "checkout", "newSearch", "beta_banner", "fast-login", "archive", "loyalty.points",
  "gift-cards", "express", "tags", "one-click", "recommendations", "pricing-v2", "chat", "features", "wishlist", "night",
  "voice-search", "coupons", "instant-refund"]);
const environments = ["development", "production"];
const fields = variant(name, ["country", "plan", "device", "tenant", "cohort", "browser", "tier", "locale"]);
const kinds = variant(name, ["team", "quarter", "component", "owner", "risk", "area"]);
const values = variant(name, ["red", "blue", "north", "core", "edge", "spring", "autumn", "solo"]);
const segments = variant(name, ["early-birds", "staff", "premium", "testers", "partners", "students"]);
const custom = variant(name, ["byMoonPhase", "byWeather", "officeHours", "lottery", "perStore", "weekdays"]);
const people = variant(name, ["Ada", "Grace", "Linus", "Margaret", "Dennis", "Barbara"]);
const apps = variant(name, ["storefront", "backoffice", "kiosk", "courier-app", "mailer", "reports"]);

async function signIn(context) {
  const page = await context.newPage();
  await page.goto(`${base}/login`);
  await page.locator("input[name=username], #username").first().fill("admin");
  await page.locator("input[type=password]").first().fill("unleash4all");
  await page.locator("button[type=submit]").first().click();
  await page.waitForTimeout(2500);
  await page.close();
}

async function pages(context) {
  const page = await context.newPage();
  const paths = ["/projects", "/search", "/applications", "/segments", "/context", "/environments", "/tag-types", "/strategies",
    "/history", "/playground", "/integrations", "/profile", "/admin/users", "/admin/api", "/admin/instance", "/archive", "/personal"];
  for (const project of projects) {
    paths.push(`/projects/${project}`, `/projects/${project}/settings`, `/projects/${project}/archive`, `/projects/${project}/logs`);
  }
  for (const [i, flag] of flags.slice(0, 6).entries()) {
    const at = `/projects/${projects[i % projects.length]}/features/${flag}`;
    paths.push(at, `${at}/metrics`, `${at}/variants`, `${at}/logs`, `${at}/settings`);
  }
  for (const app of apps.slice(0, 2)) paths.push(`/applications/${app}`);
  for (const path of paths) {
    await page.goto(base + path);
    await page.waitForTimeout(900);
  }
  await page.close();
}

async function build(send) {
  for (const field of fields) {
    await send("POST", "/api/admin/context/validate", { json: { name: field } });
    await send("POST", "/api/admin/context", { json: { name: field, description: `The ${field}`, legalValues: [{ value: values[0] }], stickiness: true } });
    await send("POST", `/api/admin/context/${field}/legal-values`, { json: { value: values[1], description: "added later" } });
  }
  for (const kind of kinds) {
    await send("POST", "/api/admin/tag-types/validate", { json: { name: kind } });
    await send("POST", "/api/admin/tag-types", { json: { name: kind, description: `By ${kind}`, icon: "Label" } });
    for (const value of values) await send("POST", "/api/admin/tags", { json: { type: kind, value } });
  }
  for (const segment of segments) {
    await send("POST", "/api/admin/segments/validate", { json: { name: segment } });
    await send("POST", "/api/admin/segments", { json: { name: segment, description: `Only ${segment}`,
      constraints: [{ contextName: fields[0], operator: "IN", values: [values[0]], inverted: false, caseInsensitive: false }] } });
  }
  for (const strategy of custom) {
    await send("POST", "/api/admin/strategies", { json: { name: strategy, description: `Decides ${strategy}`,
      parameters: [{ name: "phase", type: "string", description: "which", required: false }] } });
  }
  for (const person of people) {
    await send("POST", "/api/admin/user-admin", { json: { name: person, email: `${person.toLowerCase()}@example.com`, rootRole: 2, sendEmail: false } });
  }
  for (const [i, flag] of flags.entries()) {
    const project = projects[i % projects.length];
    await send("POST", "/api/admin/features/validate", { json: { name: flag, projectId: project } });
    await send("POST", `/api/admin/projects/${project}/features`, { json: { name: flag, type: ["release", "experiment", "kill-switch"][i % 3], description: `About ${flag}`, impressionData: i % 2 === 0 } });
  }
}

// use reads everything and changes some of it.
async function use(send, round) {
  const { segments: made = [] } = await send("GET", "/api/admin/segments");
  const { users = [] } = await send("GET", "/api/admin/user-admin");
  const last = (list) => list[list.length - 1];
  for (const [i, flag] of flags.entries()) {
    const project = projects[i % projects.length];
    const at = `/api/admin/projects/${project}/features/${flag}`;
    await send("GET", at);
    await send("PUT", at, { json: { description: `About ${flag}, round ${round}`, type: "release", archived: false } });
    await send("PATCH", at, { json: [{ op: "replace", path: "/description", value: `Rewritten ${round}` }] });
    await send("GET", `${at}/lifecycle`);
    await send("POST", `${at}/favorites`);
    if (i % 2) await send("DELETE", `${at}/favorites`);
    for (const environment of environments) {
      const there = `${at}/environments/${environment}`;
      await send("POST", `${there}/strategies`, { json: { name: "flexibleRollout", title: "gradual", constraints: [],
        parameters: { rollout: "50", stickiness: "default", groupId: flag }, segments: [], variants: [] } });
      const strategies = await send("GET", `${there}/strategies`);
      if (Array.isArray(strategies) && strategies.length) {
        const one = `${there}/strategies/${strategies[0].id}`;
        await send("GET", one);
        await send("PUT", one, { json: { name: "flexibleRollout", title: `now ${round}`, constraints: [], parameters: { rollout: "75", stickiness: "default", groupId: flag } } });
        await send("PATCH", one, { json: [{ op: "replace", path: "/parameters/rollout", value: "90" }] });
        await send("POST", "/api/admin/segments/strategies", { json: { projectId: project, strategyId: strategies[0].id, environmentId: environment, segmentIds: made.slice(0, 1).map((s) => s.id) } });
        await send("GET", `/api/admin/segments/strategies/${strategies[0].id}`);
        if (strategies.length > 1) {
          await send("POST", `${there}/strategies/set-sort-order`, { json: strategies.map((s, sortOrder) => ({ id: s.id, sortOrder })) });
          await send("DELETE", `${there}/strategies/${last(strategies).id}`);
        }
      }
      await send("GET", there);
      await send("POST", `${there}/on`);
      if (i % 3 === 0) await send("POST", `${there}/off`);
      await send("GET", `${there}/variants`);
      await send("PUT", `${there}/variants`, { json: [{ name: "blue", weight: 1000, weightType: "variable", stickiness: "default" }] });
    }
    await send("POST", `/api/admin/features/${flag}/tags`, { json: { type: kinds[i % kinds.length], value: values[i % values.length] } });
    await send("GET", `/api/admin/features/${flag}/tags`);
    if (i % 2) await send("DELETE", `/api/admin/features/${flag}/tags/${kinds[i % kinds.length]}/${values[i % values.length]}`);
    await send("GET", `/api/admin/events/${flag}`);
    await send("GET", `/api/admin/client-metrics/features/${flag}`);
    await send("GET", `/api/admin/client-metrics/features/${flag}/raw`, { query: { hoursBack: 24 } });
    await send("POST", `${at}/link`, { json: { url: `https://example.com/${flag}`, title: "spec" } });
    const { links = [] } = await send("GET", at) ?? {};
    if (links.length) await send("PUT", `${at}/link/${links[0].id}`, { json: { url: "https://example.com/spec", title: "the spec" } });
    if (links.length > 1) await send("DELETE", `${at}/link/${links[1].id}`);
  }
  const [parent, child, copy] = [flags[0], flags[2], flags[1]];
  const all = `/api/admin/projects/${projects[0]}/features`;
  await send("POST", `${all}/${child}/dependencies`, { json: { feature: parent } });
  await send("GET", `${all}/${child}/parents`);
  await send("GET", `${all}/${parent}/parent-variants`);
  await send("DELETE", `${all}/${child}/dependencies/${parent}`);
  await send("POST", `/api/admin/projects/${projects[0]}/features/${copy}/clone`, { json: { name: `${copy}-copy${round}`, replaceGroupId: true } });
  await send("DELETE", `/api/admin/projects/${projects[0]}/features/${copy}-copy${round}`);
  await send("POST", `/api/admin/archive/revive/${copy}-copy${round}`);
  await send("DELETE", `/api/admin/projects/${projects[0]}/features/${copy}-copy${round}`);
  await send("DELETE", `/api/admin/archive/${copy}-copy${round}`);
  for (const project of projects) {
    const at = `/api/admin/projects/${project}`;
    for (const part of ["overview", "insights", "status", "health-report", "applications", "dora", "flag-creators", "features", "api-tokens", "sdks/outdated"]) {
      await send("GET", `${at}/${part}`);
    }
    await send("POST", `${at}/favorites`);
    await send("DELETE", `${at}/favorites`);
    await send("GET", "/api/admin/user/roles", { query: { projectId: project } });
    await send("GET", `/api/admin/personal-dashboard/${project}`);
    await send("GET", `/api/admin/environments/project/${project}`);
    await send("POST", `${at}/stale`, { json: { features: [flags[projects.indexOf(project)]], stale: round % 2 === 0 } });
    for (const environment of environments) {
      await send("POST", `${at}/bulk_features/environments/${environment}/on`, { json: { features: [flags[projects.indexOf(project)]] } });
      await send("POST", `${at}/bulk_features/environments/${environment}/off`, { json: { features: [flags[projects.indexOf(project)]] } });
    }
    await send("POST", `${at}/archive/validate`, { json: { features: [flags[projects.indexOf(project)]] } });
  }
  for (const field of fields) {
    await send("GET", `/api/admin/context/${field}`);
    await send("PUT", `/api/admin/context/${field}`, { json: { description: `Where ${field}`, legalValues: [{ value: values[0] }, { value: values[1] }], stickiness: false } });
    await send("GET", `/api/admin/context/${field}/strategies`);
    await send("DELETE", `/api/admin/context/${field}/legal-values/${values[1]}`);
  }
  for (const kind of kinds) {
    await send("GET", `/api/admin/tag-types/${kind}`);
    await send("PUT", `/api/admin/tag-types/${kind}`, { json: { description: `By its ${kind}`, icon: "Label" } });
    await send("GET", `/api/admin/tags/${kind}`);
    for (const value of values.slice(0, 2)) await send("GET", `/api/admin/tags/${kind}/${value}`);
  }
  await send("DELETE", `/api/admin/tags/${kinds[0]}/${last(values)}`);
  for (const strategy of custom) {
    await send("GET", `/api/admin/strategies/${strategy}`);
    await send("PUT", `/api/admin/strategies/${strategy}`, { json: { description: `Decides by ${strategy}`, parameters: [] } });
    await send("POST", `/api/admin/strategies/${strategy}/deprecate`);
    await send("POST", `/api/admin/strategies/${strategy}/reactivate`);
  }
  for (const segment of made) {
    await send("GET", `/api/admin/segments/${segment.id}`);
    await send("GET", `/api/admin/segments/${segment.id}/strategies`);
    await send("PUT", `/api/admin/segments/${segment.id}`, { json: { name: segment.name, description: "Seen again", constraints: [] } });
  }
  for (const user of users) {
    await send("GET", `/api/admin/user-admin/${user.id}`);
    await send("GET", `/api/admin/user-admin/${user.id}/permissions`);
    if (user.username !== "admin") await send("PUT", `/api/admin/user-admin/${user.id}`, { json: { name: user.name, email: user.email, rootRole: 3 } });
  }
  for (const environment of environments) await send("GET", `/api/admin/environments/${environment}`);
  await send("POST", "/api/admin/environments/production/off");
  await send("POST", "/api/admin/environments/production/on");
  await send("PUT", "/api/admin/environments/sort-order", { json: { development: 1, production: 2 } });
  for (const type of ["release", "experiment", "operational"]) await send("PUT", `/api/admin/feature-types/${type}/lifetime`, { json: { lifetimeDays: 30 + round } });
  for (const query of values) await send("GET", "/api/admin/search/features", { query: { query, limit: 10, offset: 0, sortBy: "name", sortOrder: "asc" } });
  await send("GET", "/api/admin/search/events", { query: { limit: 20, offset: 0 } });
  for (const q of people) await send("GET", "/api/admin/user-admin/search", { query: { q } });
  for (const environment of environments) {
    await send("POST", "/api/admin/playground", { json: { environment, projects: "*", context: { appName: apps[0], userId: "7" } } });
    await send("POST", "/api/admin/playground/advanced", { json: { environments: [environment], projects: [projects[0]], context: { appName: apps[0] } } });
    await send("POST", "/api/admin/features-batch/export", { json: { features: flags.slice(0, 2), environment, downloadFile: false } });
  }
  await send("POST", "/api/admin/constraints/validate", { json: { contextName: fields[0], operator: "IN", values: [values[0]] } });
  for (const path of ["context", "environments", "event-creators", "events", "feature-types", "strategies", "tag-types", "tags", "segments", "projects",
    "instance-admin/statistics", "lifecycle/count", "maintenance", "metrics/applications", "metrics/sdks/outdated", "metrics/unknown-flags", "personal-dashboard",
    "ui-config", "user", "user/profile", "user/tokens", "user-admin/admin-count", "user-admin/inactive", "api-tokens", "addons", "invite-link/tokens"]) {
    await send("GET", `/api/admin/${path}`);
  }
  const token = await send("POST", "/api/admin/user/tokens", { json: { description: `laptop ${round}`, expiresAt: "2099-01-01T00:00:00Z" } });
  if (token?.id) await send("DELETE", `/api/admin/user/tokens/${token.id}`);
  await send("POST", "/api/admin/invite-link/tokens", { json: { name: "default", expiresAt: "2099-01-01T00:00:00Z" } });
  const addon = await send("POST", "/api/admin/addons", { json: { provider: "webhook", description: "to the chat", enabled: true, parameters: { url: "http://127.0.0.1:9/hook" }, events: ["feature-archived"], projects: [], environments: [] } });
  if (addon?.id) {
    await send("GET", `/api/admin/addons/${addon.id}`);
    await send("GET", `/api/admin/addons/${addon.id}/events`);
    await send("PUT", `/api/admin/addons/${addon.id}`, { json: { ...addon, enabled: false } });
    await send("DELETE", `/api/admin/addons/${addon.id}`);
  }
  await send("GET", "/api/admin/context/no-such-field");
  await send("GET", `/api/admin/projects/${projects[0]}/features/no-such-flag`);
}

// sdk is an application that asks for its flags and reports what it did.
async function sdk(send) {
  const { secret, tokenName } = await send("POST", "/api/admin/api-tokens", { json: { tokenName: "apps", type: "client", environment: "development", projects: ["*"] } });
  await send("GET", `/api/admin/api-tokens/${tokenName}`);
  const headers = { authorization: secret };
  for (const appName of apps) {
    await send("POST", "/api/client/register", { headers, json: { appName, instanceId: `${appName}-1`, sdkVersion: "unleash-client-node:6.1.0", strategies: ["default"], started: new Date().toISOString(), interval: 10000 } });
    await send("GET", "/api/client/features", { headers });
    for (const flag of flags.slice(0, 8)) await send("GET", `/api/client/features/${flag}`, { headers });
    const bucket = { start: new Date(Date.now() - 60000).toISOString(), stop: new Date().toISOString(), toggles: Object.fromEntries(flags.map((flag, i) => [flag, { yes: i, no: 1, variants: {} }])) };
    await send("POST", "/api/client/metrics", { headers, json: { appName, instanceId: `${appName}-1`, bucket } });
  }
  await new Promise((done) => setTimeout(done, 8000)); // registrations are written in batches
  for (const app of apps) {
    await send("GET", `/api/admin/metrics/applications/${app}`);
    await send("GET", `/api/admin/metrics/applications/${app}/overview`);
    await send("POST", `/api/admin/metrics/applications/${app}`, { json: { description: "An application", icon: "apps" } });
    for (const environment of environments) await send("GET", `/api/admin/metrics/instances/${app}/environment/${environment}`);
  }
  await send("DELETE", `/api/admin/metrics/applications/${apps.at(-1)}`);
  await send("DELETE", `/api/admin/api-tokens/${encodeURIComponent(secret)}`);
}

async function clear(send) {
  const { users = [] } = await send("GET", "/api/admin/user-admin");
  for (const user of users.slice(-1)) await send("DELETE", `/api/admin/user-admin/${user.id}`);
  await send("DELETE", `/api/admin/strategies/${custom.at(-1)}`);
  await send("DELETE", `/api/admin/tag-types/${kinds.at(-1)}`);
  await send("POST", `/api/admin/projects/${projects[0]}/archive`, { json: { features: [flags[0]] } });
  await send("POST", `/api/admin/projects/${projects[0]}/revive`, { json: { features: [flags[0]] } });
  await send("POST", `/api/admin/projects/${projects[0]}/archive`, { json: { features: [flags[0]] } });
  await send("POST", `/api/admin/projects/${projects[0]}/delete`, { json: { features: [flags[0]] } });
  await send("DELETE", `/api/admin/context/${fields.at(-1)}`);
}

await record(out, async (context) => {
  await signIn(context);
  const raw = await client(context, `${base}/health`);
  // Unleash wants a content type even where there is no content.
  const send = (method, path, options = {}) => raw(method, path, method === "GET" ? options
    : { ...options, headers: { "content-type": "application/json", ...options.headers } });
  await build(send);
  await sdk(send);
  for (let round = 0; round < rounds(name); round++) {
    await use(send, round);
    await pages(context);
  }
  await clear(send);
});
