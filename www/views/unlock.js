import { announce, h, icon } from "../dom.js";
import { eraseTablet, hasVault, unlock } from "../vault.js";

const MESSAGES = {
  WrongKey: "That passphrase does not open this tablet. Check it and try again.",
  Unavailable: "This browser lacks what the cache needs: WebAssembly, IndexedDB and a secure page.",
  Blocked: "Another tab holds the database. Close it and try again.",
  KeyUnavailable: "The sealed copies on this tablet can no longer be opened. Erase them below to start over.",
  Tampered: "The vault on this tablet failed its check and will not be opened.",
  Incompatible: "The vault on this tablet was made by another version of this app.",
};

/** The first thing shown, and again after a reload and a lock. */
export function unlockView({ reason, onUnlocked }) {
  const field = h("input", {
    id: "passphrase",
    type: "password",
    autocomplete: "off",
    autocapitalize: "none",
    autocorrect: "off",
    spellcheck: "false",
    "data-1p-ignore": true,
    "data-lpignore": "true",
    "data-testid": "unlock-passphrase",
    "aria-describedby": "unlock-hint unlock-error",
    required: true,
  });
  const error = h("p", { id: "unlock-error", class: "field-error", role: "alert" });
  const button = h("button", { type: "submit", class: "primary", "data-testid": "unlock-button" }, "Unlock");
  const title = h("h1", {}, "Unlock this tablet");
  const hint = h("p", { id: "unlock-hint" }, "Records are sealed on this tablet. Your passphrase opens them, offline too.");
  const form = h(
    "form",
    { class: "unlock-form", autocomplete: "off", novalidate: true, onsubmit: submit },
    h("label", { for: "passphrase" }, "Passphrase"),
    field, error, button,
  );

  async function submit(event) {
    event.preventDefault();
    if (field.value === "") {
      say("Enter a passphrase.");
      return;
    }
    say("");
    busy(true);
    try {
      await unlock(field.value);
      field.value = "";
      onUnlocked();
    } catch (failure) {
      busy(false);
      say(messageOf(failure));
      field.select();
    }
  }

  function say(text) {
    error.textContent = text;
    field.setAttribute("aria-invalid", text === "" ? "false" : "true");
    if (text !== "") field.focus();
  }

  function busy(on) {
    button.disabled = on;
    button.textContent = on ? "Opening…" : "Unlock";
    form.setAttribute("aria-busy", String(on));
    if (on) announce("Opening");
  }

  void hasVault().then((has) => {
    if (has) return;
    title.textContent = "Choose a passphrase";
    hint.textContent = "It seals every record kept on this tablet, and nothing can be read without it. You will be asked for it after each lock and reload.";
  });

  return h(
    "section",
    { class: "unlock", "data-testid": "locked-screen", "aria-labelledby": "unlock-title" },
    h("div", { class: "seal" }, icon("shield")),
    reason && h("p", { class: "reason" }, reason),
    Object.assign(title, { id: "unlock-title" }),
    hint,
    form,
    forgotten(say),
    h("p", { class: "fine" }, "Demonstration with synthetic people. User: demo nurse."),
  );
}

function messageOf(failure) {
  if (failure.code === "InvalidArgument") return "Choose a longer passphrase: at least 8 characters.";
  return MESSAGES[failure.code] ?? `The tablet could not be opened (${failure.code ?? "unknown error"}).`;
}

/** A lost passphrase cannot be recovered; starting over needs two deliberate presses. */
function forgotten(say) {
  let armed = false;
  const button = h("button", { type: "button", class: "quiet danger", onclick: press }, "Erase this tablet's copies");

  async function press() {
    if (!armed) {
      armed = true;
      button.textContent = "Press again to erase everything kept here";
      return;
    }
    try {
      await eraseTablet();
      location.reload();
    } catch {
      say(MESSAGES.Blocked);
    }
  }

  return h(
    "details",
    { class: "forgotten" },
    h("summary", {}, "Forgotten it?"),
    h("p", {}, "Nobody can recover a passphrase. The hospital still has every record: erase the copies on this tablet and choose a new one."),
    button,
  );
}
