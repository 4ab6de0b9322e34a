// Drives Verdaccio with the npm client and in the browser:
//   record.mjs BROWSER.har NPM.har a|b|c WORKDIR
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { client, record, rounds, variant } from "../browser.mjs";
import { recordingProxy } from "../proxy.mjs";

const base = "http://127.0.0.1:14873";
const [out, npmOut, name, work] = process.argv.slice(2);

const packages = variant(name, ["badger", "lantern", "@tools/hammer", "compass", "@games/chess", "harbor-light", "quill",
  "@tools/chisel", "profile", "@acme/ledger", "walnut", "metadata", "@games/backgammon", "thistle", "tide-tables",
  "@acme/invoice-reader", "search", "marmalade", "@kitchen/kettle", "orchard"]);
const people = variant(name, ["ada", "grace", "linus", "margaret", "dennis", "barbara", "edsger", "frances"]);
const tags = variant(name, ["beta", "next", "canary", "stable", "nightly", "legacy", "preview", "edge"]);
const versions = ["1.0.0", "1.1.0", "2.0.0-rc.1"].slice(0, name === "b" ? 3 : 2);
const password = "correct-horse-battery";

// npm runs the npm client through the recording proxy, as one of the people.
function npmClient(proxy, token) {
  const rc = join(work, "npmrc");
  writeFileSync(rc, [`registry=${base}/`, `//127.0.0.1:14873/:_authToken=${token}`, `proxy=${proxy}`,
    "noproxy=", `cache=${join(work, "cache")}`, "audit=false", "fund=false", "update-notifier=false",
    "fetch-retries=0", "loglevel=error"].join("\n"));
  return async (cwd, ...args) => {
    const env = { PATH: process.env.PATH, HOME: work, NPM_CONFIG_USERCONFIG: rc };
    try {
      return await promisify(execFile)("npm", args, { cwd, env, timeout: 60_000 });
    } catch (error) {
      console.error(`npm ${args.join(" ")}: ${error.stderr?.split("\n")[0]}`);
    }
  };
}

function writePackage(pkg, version) {
  const dir = join(work, "src", pkg, version);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "package.json"), JSON.stringify({
    name: pkg, version, description: `The ${pkg.split("/").at(-1)} of the house`, keywords: ["example", pkg.at(-1)],
    license: "MIT", main: "index.js",
  }));
  writeFileSync(join(dir, "index.js"), "module.exports = 1;\n");
  writeFileSync(join(dir, "README.md"), `# ${pkg}\n\nVersion ${version}.\n`);
  return dir;
}

async function publishing(npm) {
  for (const pkg of packages) {
    for (const version of versions) {
      const tag = version.includes("-") ? ["--tag", "rc"] : [];
      await npm(writePackage(pkg, version), "publish", ...tag);
    }
    await npm(work, "view", pkg);
    await npm(work, "dist-tag", "add", `${pkg}@${versions[0]}`, tags[packages.indexOf(pkg) % tags.length]);
    await npm(work, "dist-tag", "ls", pkg);
  }
  for (const pkg of packages.slice(0, 3)) {
    await npm(work, "star", pkg);
    await npm(work, "pack", `${pkg}@${versions[1]}`);
    await npm(work, "deprecate", `${pkg}@${versions[0]}`, "use a newer one");
  }
  for (const [i, pkg] of packages.slice(0, 4).entries()) {
    await npm(work, "dist-tag", "rm", pkg, tags[i % tags.length]);
  }
  const app = join(work, "app");
  mkdirSync(app, { recursive: true });
  writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", version: "1.0.0", private: true }));
  await npm(app, "install", ...packages);
  for (const word of ["house", "tools", packages[0]]) await npm(work, "search", word, "--json");
  await npm(work, "whoami");
  await npm(work, "ping");
  await npm(work, "stars");
  await npm(work, "profile", "get");
}

async function unpublishing(npm) {
  await npm(work, "unpublish", `${packages[0]}@${versions[0]}`, "--force");
  await npm(work, "unpublish", `${packages[1]}@${versions[0]}`, "--force");
  await npm(work, "unpublish", packages.at(-1), "--force");
  await npm(work, "view", packages.at(-1)); // not found
}

async function pages(context, person, signedIn) {
  const page = await context.newPage();
  await page.goto(base);
  if (!signedIn) {
    await page.getByRole("button", { name: /login/i }).first().click();
    await page.locator("input#login--dialog-username, input[name=username]").first().fill(person);
    await page.locator("input#login--dialog-password, input[name=password]").first().fill(password);
    await page.locator("#login--dialog-button-submit, button[type=submit]").first().click();
    await page.waitForTimeout(700);
  }
  for (const pkg of packages) {
    await page.goto(`${base}/-/web/detail/${pkg}`);
    await page.waitForTimeout(400);
  }
  for (const pkg of packages.slice(0, Math.ceil(packages.length / 2))) {
    await page.goto(`${base}/-/web/detail/${pkg}/v/${versions[1]}`);
    await page.waitForTimeout(400);
  }
  await page.goto(base);
  for (const word of packages.slice(0, 3)) {
    await page.locator("input[type=text], input[type=search]").first().fill(word.split("/").at(-1));
    await page.waitForTimeout(900);
  }
  await page.close();
}

async function calls(context) {
  const send = await client(context, `${base}/-/web/detail/${packages[0]}`);
  const escaped = (pkg) => pkg.replace("/", "%2f");
  const headers = { authorization: `Bearer ${(await signIn(send, people[0])).token}` };
  for (const pkg of packages.slice(0, -1)) {
    await send("GET", `/${escaped(pkg)}`);
    await send("GET", `/${escaped(pkg)}/${versions.at(-1)}`);
    await send("GET", `/${escaped(pkg)}/latest`);
    await send("GET", `/-/package/${escaped(pkg)}/dist-tags`);
    await send("PUT", `/-/package/${escaped(pkg)}/dist-tags/${tags[0]}`, { json: versions[1], headers });
    await send("GET", `/-/verdaccio/data/sidebar/${pkg}`);
    await send("GET", `/-/verdaccio/data/package/readme/${pkg}`, { query: { v: versions[1] } });
  }
  await send("DELETE", `/-/package/${escaped(packages[0])}/dist-tags/${tags[0]}`, { headers });
  await send("GET", `/-/package/${escaped(packages[0])}/dist-tags/`);
  for (const pkg of ["no-such-package", "@tools/no-such-package"]) await send("GET", `/${escaped(pkg)}`);
  for (const word of packages) await send("GET", `/-/verdaccio/data/search/${word.split("/").at(-1)}`);
  for (const text of ["house", ...tags]) await send("GET", "/-/v1/search", { query: { text, size: 5, from: 0 } });
  await send("GET", "/-/all");
  await send("GET", "/-/verdaccio/data/packages");
  await send("GET", "/-/ping");
  await send("GET", "/-/whoami", { headers });
  await send("GET", "/-/npm/v1/user", { headers });
  await send("GET", "/-/npm/v1/tokens", { headers });
  const made = await send("POST", "/-/npm/v1/tokens", { json: { password, readonly: false, cidr_whitelist: [] }, headers });
  if (made?.key) await send("DELETE", `/-/npm/v1/tokens/token/${made.key}`, { headers });
  for (const person of people) {
    await send("GET", `/-/user/org.couchdb.user:${person}`, { headers: { authorization: `Bearer ${(await signIn(send, person)).token}` } });
    await send("GET", "/-/_view/starredByUser", { query: { key: person } });
  }
}

// signIn makes an account or, where it exists, signs in, as "npm adduser" does.
async function signIn(send, person) {
  const json = { _id: `org.couchdb.user:${person}`, name: person, password, email: `${person}@example.com`, type: "user", roles: [] };
  const made = await send("PUT", `/-/user/org.couchdb.user:${person}`, { json });
  if (made.token) return made;
  const headers = { authorization: `Basic ${btoa(`${person}:${password}`)}` };
  return send("PUT", `/-/user/org.couchdb.user:${person}`, { json, headers });
}

await record(out, async (context) => {
  const send = await client(context, base);
  const { token } = await signIn(send, people[0]);
  const proxy = await recordingProxy(npmOut);
  const npm = npmClient(proxy.url, token);
  await publishing(npm);
  for (let i = 0; i < rounds(name); i++) {
    await pages(context, people[0], i > 0);
    await calls(context);
  }
  await unpublishing(npm);
  await proxy.close();
});
