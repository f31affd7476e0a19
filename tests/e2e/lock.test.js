// The passphrase, the lock, and what a glance at the browser gives away.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startBrowser } from "./lib/browser.js";
import { startServer } from "./lib/server.js";
import { PASSPHRASE, Tablet, until } from "./lib/tablet.js";

async function opened(t) {
  const server = await startServer(t);
  const [patient] = await server.patients();
  const { context } = await startBrowser(t);
  const tablet = await Tablet.open(context, server.origin);
  await tablet.unlock();
  return { server, patient, context, tablet };
}

test("a wrong passphrase opens nothing and the right one still does", async (t) => {
  const { tablet } = await opened(t);
  await tablet.reload();
  await tablet.tryUnlock("a guess that is wrong");
  await tablet.page.getByRole("alert").filter({ hasText: "does not open" }).waitFor();
  assert.equal(await tablet.$("patient-row").count(), 0);
  await tablet.unlock(PASSPHRASE);
});

test("locking hides everything in every tab and makes reads fail as locked", async (t) => {
  const { server, patient, context, tablet } = await opened(t);
  const other = await Tablet.open(context, server.origin);
  await other.unlock();
  await other.openPatient(patient.id);
  await other.nameIs(patient.name[0].family);
  const session = await other.page.evaluateHandle(() =>
    import("/vault.js").then(({ vault }) => vault.session));

  await tablet.$("lock-button").click();
  for (const tab of [tablet, other]) {
    await tab.$("locked-screen").waitFor();
    const html = await tab.page.content();
    assert.ok(!html.includes(patient.name[0].family) && !html.includes(patient.id));
  }
  const code = await session.evaluate((held, id) => {
    try {
      held.peek("patient", id);
      return "it answered";
    } catch (error) {
      return error.code;
    }
  }, patient.id);
  assert.ok(["Locked", "Closed"].includes(code), code);
  await tablet.unlock();
  await other.unlock();
});

test("no address, title, history entry or form memory tells who is on the screen", async (t) => {
  const { patient, tablet } = await opened(t);
  await tablet.openPatient(patient.id);
  await tablet.nameIs(patient.name[0].family);
  const shown = await tablet.page.evaluate(() => ({
    address: location.href,
    title: document.title,
    state: JSON.stringify(history.state),
    local: JSON.stringify({ ...localStorage }),
    session: JSON.stringify({ ...sessionStorage }),
    referrer: document.referrer,
    autocomplete: [...document.querySelectorAll("input")].map((input) => input.autocomplete),
  }));
  const { family, given } = patient.name[0];
  for (const text of [patient.id, family, given[0], patient.identifier[0].value, patient.birthDate]) {
    for (const where of ["address", "title", "state", "local", "session", "referrer"]) {
      assert.ok(!String(shown[where]).includes(text), where);
    }
  }
  assert.ok(shown.autocomplete.every((value) => value === "off"));
});

test("the keyboard alone unlocks, opens a patient and comes back", async (t) => {
  const server = await startServer(t);
  const [first] = await server.patients();
  const { context } = await startBrowser(t);
  const tablet = await Tablet.open(context, server.origin);
  const { keyboard } = tablet.page;
  const focused = (check, argument) => tablet.page.evaluate(check, argument);
  const tabTo = async (what, check, argument) => {
    for (let presses = 0; presses < 40; presses++) {
      if (await focused(check, argument)) return;
      await keyboard.press("Tab");
    }
    throw new Error(`the tab key never reached ${what}`);
  };
  await tablet.$("unlock-passphrase").waitFor();
  await tabTo("the passphrase", () =>
    document.activeElement.dataset.testid === "unlock-passphrase");
  await keyboard.type(PASSPHRASE);
  await keyboard.press("Enter");
  await tablet.row(first.id).waitFor();
  await tabTo("the first patient", (id) => document.activeElement.dataset.patientId === id, first.id);
  const outline = await focused(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.notEqual(outline, "none", "focus is visible");
  await keyboard.press("Enter");
  await tablet.nameIs(first.name[0].family);
  await until("focus moved to the page that opened", () => focused(() =>
    document.activeElement !== document.body));
  await tabTo("the way back", () => document.activeElement.textContent.trim() === "All patients");
  await keyboard.press("Enter");
  await tablet.row(first.id).waitFor();
});

test("on a phone nothing is cut off sideways and targets can be hit", async (t) => {
  const server = await startServer(t);
  const [first] = await server.patients();
  const { context } = await startBrowser(t, { viewport: { width: 360, height: 740 } });
  const tablet = await Tablet.open(context, server.origin);
  const fits = () => tablet.page.evaluate(() =>
    document.documentElement.scrollWidth <= document.documentElement.clientWidth);
  const fitsWithState = (state) => tablet.page.evaluate((state) => {
    const shown = document.querySelector('[data-testid="feed-state"]');
    const before = shown.textContent;
    shown.textContent = state;
    const fits = document.documentElement.scrollWidth <= document.documentElement.clientWidth;
    shown.textContent = before;
    return fits;
  }, state);
  assert.ok(await fits(), "the lock screen");
  await tablet.unlock();
  assert.ok(await fits(), "the list");
  for (const state of ["live", "connecting", "suspect", "offline"]) {
    assert.ok(await fitsWithState(state), `the bar while the feed is ${state}`);
  }
  for (const target of ["patient-row", "lock-button", "offline-toggle"]) {
    const { height } = await tablet.$(target).first().boundingBox();
    assert.ok(height >= 40, target);
  }
  // A symbol alone still has a name for those who do not see it.
  await tablet.page.getByRole("button", { name: "Lock", exact: true }).waitFor();
  await tablet.openPatient(first.id);
  await tablet.cardsAreFilled();
  assert.ok(await fits(), "a patient's page");
});
