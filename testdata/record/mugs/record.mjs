// Records the demo's mug shop in Chromium: node record.mjs OUT.har
// The shop must be running: caskmcp demo --shop [--v2].
import { record } from "../browser.mjs";

const origin = "http://mugs.localhost:8707";
const [out] = process.argv.slice(2);

await record(out, async (context) => {
  const page = await context.newPage();
  await page.goto(origin + "/");
  await page.evaluate(() => { sessionStorage.token = "demo-token-not-a-secret"; });
  const read = (path) => page.evaluate((p) => api(p), path);
  for (const glaze of ["", "satin", "matte", "gloss", ""]) {
    await page.evaluate((g) => show(g), glaze);
    for (const item of await page.locator("#mugs li").all()) {
      await item.click();
      await page.waitForTimeout(30);
    }
  }
  await read("/v1/mugs/no-such-mug");
  for (const id of [48213, 48214, 48215, 48214]) await read("/v1/orders/" + id);
  await read("/v1/orders");
  for (const order of [{ mug: "tide", quantity: 2 }, { mug: "slate", quantity: 1 }, { mug: "kiln-white", quantity: 4 }]) {
    const placed = await page.evaluate((o) => api("/v1/orders", { method: "POST", body: JSON.stringify(o) }), order);
    await read("/v1/orders/" + placed.id);
  }
  await read("/v1/orders");
});
