// Drives Prometheus' web pages and its HTTP API:  record.mjs OUT a|b|c
import { client, record, rounds, variant } from "../browser.mjs";

const base = "http://127.0.0.1:19090";
const [out, name] = process.argv.slice(2);

const labels = variant(name, ["job", "handler", "code", "quantile", "team", "env", "instance", "le", "__name__",
  "region", "tier", "version", "goversion", "branch", "revision", "slice", "event", "role", "reason", "type",
  "interval", "scrape_job", "rule_group", "dialer_name", "listener_name", "call", "config", "alertname",
  "alertstate", "severity", "owner", "zone"]);
const metrics = variant(name, ["up", "go_goroutines", "go_memstats_alloc_bytes", "process_open_fds",
  "prometheus_http_requests_total", "prometheus_tsdb_head_series", "scrape_duration_seconds",
  "scrape_samples_scraped", "go_gc_duration_seconds", "process_cpu_seconds_total", "prometheus_build_info",
  "prometheus_engine_queries", "prometheus_rule_evaluations_total", "go_threads", "net_conntrack_dialer_conn_attempted_total",
  "prometheus_sd_discovered_targets", "prometheus_tsdb_wal_writes_failed_total", "process_resident_memory_bytes",
  "prometheus_target_interval_length_seconds", "go_info"]);
const expressions = variant(name, ["up", "sum by (job) (up)", "rate(prometheus_http_requests_total[30s])",
  "topk(3, scrape_duration_seconds)", "histogram_quantile(0.9, sum by (le) (rate(prometheus_http_request_duration_seconds_bucket[1m])))",
  "count by (team, env) (up)", "time()", "vector(1)", "42", "'hello'", "avg_over_time(go_goroutines[20s])", "process_open_fds / process_max_fds",
  "up[10s]", "scalar(sum(up))", "absent(nothing)", "label_replace(up, \"squad\", \"$1\", \"team\", \"(.*)\")",
  "sum without (instance) (go_threads)", "max(prometheus_tsdb_head_series)", "count_values(\"level\", up)", "sort_desc(scrape_samples_scraped)"]);
const jobs = variant(name, ["prometheus", "checkout", "billing", "search", "inventory"]);

// pages is a person with the web pages: some expressions, drawn at several
// ranges, then every entry of the menu.
async function pages(context) {
  const page = await context.newPage();
  await page.goto(`${base}/classic/graph`);
  for (const expression of expressions.slice(0, 5)) {
    await page.locator("textarea.expression_input").first().fill(expression);
    await page.locator("input.execute_btn").first().click();
    await page.waitForTimeout(300);
  }
  await page.locator("textarea.expression_input").first().fill(metrics[0]);
  await page.locator("a[href='#graph0']").click();
  await page.waitForTimeout(300);
  for (const button of ["inc_range", "inc_range", "dec_range", "dec_end", "inc_end"]) {
    await page.locator(`button[name=${button}]`).first().click();
    await page.waitForTimeout(300);
  }
  await page.locator("#add_graph").click();
  for (const path of ["alerts", "status", "flags", "config", "rules", "targets", "service-discovery"]) {
    await page.goto(`${base}/classic/${path}`);
    await page.waitForTimeout(150);
  }
  await page.goto(`${base}/metrics`);
  await page.close();
}

// calls is a program that uses the HTTP API.
async function calls(context) {
  const now = () => Math.floor(Date.now() / 1000);
  const send = await client(context, `${base}/classic/status`);
  const get = (path, query) => send("GET", path, { query });
  const post = (path, form) => send("POST", path, { form });
  for (const label of labels) await get(`/api/v1/label/${label}/values`);
  for (const label of labels.slice(0, 3)) {
    await get(`/api/v1/label/${label}/values`, { "match[]": `up{job="${jobs[0]}"}`, start: now() - 60, end: now() });
  }
  await get("/api/v1/label/no-such-label/values"); // a bad request
  for (const expression of expressions) {
    await get("/api/v1/query", { query: expression });
    await post("/api/v1/query", { query: expression, time: String(now()), timeout: "5s" });
    await get("/api/v1/format_query", { query: expression });
  }
  await get("/api/v1/query", { query: "sum(" }); // a bad request
  for (const metric of metrics) {
    await get("/api/v1/query_range", { query: metric, start: now() - 60, end: now(), step: 5 });
    await post("/api/v1/query_range", { query: `max(${metric})`, start: String(now() - 30), end: String(now()), step: "5s" });
    await get("/api/v1/series", { "match[]": metric, start: now() - 60, end: now() });
    await post("/api/v1/series", { "match[]": `${metric}{job=~".+"}` });
    await get("/api/v1/metadata", { metric, limit: 2 });
    await get("/api/v1/targets/metadata", { match_target: `{job="${jobs[0]}"}`, metric, limit: 10 });
    await get("/api/v1/query_exemplars", { query: metric, start: now() - 60, end: now() });
  }
  await get("/api/v1/labels");
  await get("/api/v1/labels", { "match[]": metrics[0] });
  await post("/api/v1/labels", { "match[]": metrics[1] });
  await get("/api/v1/metadata");
  await get("/api/v1/targets");
  for (const state of ["active", "dropped", "any"]) await get("/api/v1/targets", { state });
  await get("/api/v1/scrape_pools");
  await get("/api/v1/rules");
  for (const type of ["alert", "record"]) await get("/api/v1/rules", { type });
  await get("/api/v1/alerts");
  await get("/api/v1/alertmanagers");
  for (const status of ["config", "flags", "runtimeinfo", "buildinfo", "tsdb", "walreplay"]) await get(`/api/v1/status/${status}`);
  await get("/federate", { "match[]": metrics[0] });
  await get("/-/healthy");
  await get("/-/ready");
  await post("/-/reload");
  await post("/api/v1/admin/tsdb/delete_series", { "match[]": metrics.at(-1), end: String(now() - 3600) });
  await post("/api/v1/admin/tsdb/clean_tombstones");
  await post("/api/v1/admin/tsdb/snapshot");
}

await record(out, async (context) => {
  for (let i = 0; i < rounds(name); i++) {
    await pages(context);
    await calls(context);
  }
});
