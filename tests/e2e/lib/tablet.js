// The demo's page as a nurse uses it, through the hooks that it promises to tests.

/** Long enough for the vault; the tests' own. */
export const PASSPHRASE = "ward seven, night shift";

/** Waits until `check` gives something truthy, and resolves with it. */
export async function until(what, check, { timeoutMs = 15_000 } = {}) {
  for (const end = Date.now() + timeoutMs; ; ) {
    const found = await check();
    if (found) return found;
    if (Date.now() > end) throw new Error(`in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** One tab of the demo. */
export class Tablet {
  /** API requests that this tab sent, as `GET /path`. Those of a reloaded page stay in the list. */
  requests = [];
  /** Frames of the hub's socket, as `{ sent: frame }` or `{ received: frame }`. */
  frames = [];

  constructor(page, origin) {
    this.page = page;
    this.origin = origin;
    page.on("request", (request) => {
      const { pathname, search } = new URL(request.url());
      if (pathname.startsWith("/api/")) this.requests.push(`${request.method()} ${pathname}${search}`);
    });
    page.on("websocket", (socket) => {
      const parsed = ({ payload }) => JSON.parse(payload);
      socket.on("framesent", (frame) => this.frames.push({ sent: parsed(frame) }));
      socket.on("framereceived", (frame) => this.frames.push({ received: parsed(frame) }));
    });
  }

  /** Opens the page in a tab of `context`. */
  static async open(context, origin) {
    const page = await context.newPage();
    const tablet = new Tablet(page, origin);
    await page.addInitScript(recordNames);
    await page.goto(origin);
    return tablet;
  }

  /** An element by its promised hook. */
  $(testId) {
    return this.page.getByTestId(testId);
  }

  /** Enters the passphrase and waits for the list. */
  async unlock(passphrase = PASSPHRASE) {
    await this.tryUnlock(passphrase);
    await this.$("patient-row").first().waitFor();
  }

  /** Enters the passphrase. */
  async tryUnlock(passphrase) {
    await this.$("unlock-passphrase").fill(passphrase);
    await this.$("unlock-button").click();
  }

  /** Waits for a state of the feed. */
  async feedIs(state) {
    await this.$("feed-state").filter({ hasText: state }).waitFor();
  }

  /** Waits until the service worker holds the shell, so that the page opens offline. */
  async shellIsKept() {
    await this.page.waitForFunction(async () => {
      const registration = await navigator.serviceWorker.getRegistration();
      return registration?.active?.state === "activated";
    });
  }

  /** The row of a patient. */
  row(id) {
    return this.page.locator(`[data-testid="patient-row"][data-patient-id="${id}"]`);
  }

  /** Opens a patient's page from the list. */
  async openPatient(id) {
    await this.row(id).click();
    await this.$("patient-name").waitFor({ state: "attached" });
  }

  /** Waits until the page shows this text as the patient's name. */
  async nameIs(text) {
    await this.$("patient-name").filter({ hasText: text }).waitFor();
  }

  /** Changes the family name of the patient on the screen, as a nurse does. */
  async rename(family) {
    await this.$("edit-name").click();
    await this.$("edit-family").fill(family);
    await this.page.getByRole("button", { name: "Save at the hospital" }).click();
  }

  /** Goes back to the list. */
  async backToList() {
    await this.page.getByRole("link", { name: "All patients" }).click();
    await this.$("patient-row").first().waitFor();
  }

  /** Reloads; the page asks for the passphrase again. */
  async reload() {
    await this.page.reload();
    await this.$("unlock-passphrase").waitFor();
  }

  /** A word about a shown value: `entry` is `patient`, `patients`, `summary`, `conditions`, … */
  mark(entry, word) {
    return this.page.locator(`[data-entry="${entry}"] [data-testid="entry-${word}"]`);
  }

  /** Waits for words about a value, such as `{ source: "origin", verified: "verified" }`. */
  async marksAre(entry, words) {
    for (const [word, text] of Object.entries(words)) {
      await this.mark(entry, word).filter({ hasText: new RegExp(`^${text}$`) }).waitFor();
    }
  }

  /** Waits until every card of a patient's page has its value. */
  async cardsAreFilled() {
    for (const entry of CARDS) await this.mark(entry, "source").waitFor();
    await this.page.waitForFunction(() =>
      [...document.querySelectorAll(".picture")].every((picture) => picture.dataset.status));
  }

  /** Every state of the patient's page that could be seen, oldest first, as
   * `{ name, verified, at }`. */
  seen() {
    return this.page.evaluate(() => globalThis.seenNames);
  }

  /** The cache's own counters. */
  stats() {
    return this.page.evaluate(async () => {
      const { vault } = await import("/vault.js");
      return JSON.parse(JSON.stringify(vault.cache.stats()));
    });
  }
}

/** What a patient's page shows beside the patient. */
export const CARDS = [
  "summary", "conditions", "medications", "allergies", "observations", "reports", "encounters",
  "studies",
];

/** Runs in the page before its own scripts: notes each change of name and verified that can have
 * been painted. */
function recordNames() {
  globalThis.seenNames = [];
  const note = () => {
    const text = (selector) => document.querySelector(selector)?.textContent ?? "";
    const name = text('[data-testid="patient-name"]');
    const verified = text('[data-entry="patient"] [data-testid="entry-verified"]') === "verified";
    const last = globalThis.seenNames.at(-1);
    if (name === "" || (last?.name === name && last.verified === verified)) return;
    globalThis.seenNames.push({ name, verified, at: Date.now() });
  };
  new MutationObserver(note).observe(document, {
    subtree: true, childList: true, characterData: true, attributes: true,
  });
}
