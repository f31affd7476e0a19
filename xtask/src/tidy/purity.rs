//! What a layer may not know of the world: time, I/O, tasks, the target, JavaScript.

use super::{
    Violation,
    layers::is_test_file,
    rust::{Token, past_closing, tokens, used_paths, without_tests},
    tree::Tree,
};

const RULE: &str = "purity";

/// Crates that exist in a browser only.
const BROWSER: &[&str] = &[
    "js_sys",
    "web_sys",
    "wasm_bindgen",
    "wasm_bindgen_futures",
    "serde_wasm_bindgen",
    "rexie",
    "idb",
];

/// Crates that exist natively only.
const NATIVE: &[&str] = &[
    "tokio",
    "axum",
    "redb",
    "redis",
    "hyper",
    "tower",
    "tokio_tungstenite",
];

/// Ways to learn the time, to do I/O or to draw randomness without being handed it.
/// `Duration` is arithmetic, so it stays.
const WORLD: &[&str] = &[
    "getrandom",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::time::UNIX_EPOCH",
    "std::time::self",
    "std::time::*",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
];

/// What a pure layer does not do at all.
const ASYNC: &[&str] = &[
    "futures_util",
    "futures_channel",
    "std::future",
    "std::task",
    "core::future",
    "core::task",
];

#[derive(Clone, Copy)]
struct Limits {
    paths: &'static [&'static [&'static str]],
    words: &'static [&'static str],
    target_cfg: bool,
}

/// What is refused in a file, by the path below `src/`: the first prefix that fits decides.
const LIMITS: &[(&str, Limits)] = &[
    (
        "kernel/",
        Limits {
            paths: &[BROWSER, NATIVE, WORLD, ASYNC],
            words: &["async", "await"],
            target_cfg: true,
        },
    ),
    (
        "platform/sys_native.rs",
        Limits {
            paths: &[BROWSER],
            words: &[],
            target_cfg: false,
        },
    ),
    (
        "platform/sys_wasm.rs",
        Limits {
            paths: &[NATIVE],
            words: &[],
            target_cfg: false,
        },
    ),
    (
        "platform/",
        Limits {
            paths: &[BROWSER, NATIVE, WORLD],
            words: &[],
            target_cfg: false,
        },
    ),
    (
        "store/",
        Limits {
            paths: &[BROWSER, NATIVE, WORLD],
            words: &[],
            target_cfg: true,
        },
    ),
    (
        "engine/",
        Limits {
            paths: &[BROWSER, NATIVE, WORLD],
            words: &[],
            target_cfg: true,
        },
    ),
    (
        "clinic/",
        Limits {
            paths: &[BROWSER, NATIVE, WORLD],
            words: &[],
            target_cfg: true,
        },
    ),
    (
        "testkit/",
        Limits {
            paths: &[BROWSER, NATIVE],
            words: &[],
            target_cfg: false,
        },
    ),
    (
        "browser/",
        Limits {
            paths: &[NATIVE],
            words: &[],
            target_cfg: false,
        },
    ),
    (
        "wasm/",
        Limits {
            paths: &[NATIVE],
            words: &[],
            target_cfg: false,
        },
    ),
    (
        "server/",
        Limits {
            paths: &[BROWSER],
            words: &[],
            target_cfg: false,
        },
    ),
];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, inner, text) in tree.sources().filter(|(_, inner, _)| !is_test_file(inner)) {
        let Some((_, limits)) = LIMITS.iter().find(|(prefix, _)| inner.starts_with(prefix)) else {
            continue;
        };
        let code = without_tests(&tokens(text));
        let layer = inner.split('/').next().unwrap_or(inner);
        let mut report = |line, what: &str| {
            violations.push(Violation::new(
                RULE,
                path,
                line,
                format!("{what} in `{layer}`"),
            ));
        };
        for used in used_paths(&code) {
            let name = used.segments.join("::");
            let fits = |refused: &&&str| {
                name == **refused
                    || name
                        .strip_prefix(*refused)
                        .is_some_and(|rest| rest.starts_with("::"))
            };
            if let Some(refused) = limits.paths.iter().copied().flatten().find(fits) {
                report(used.line, &format!("`{refused}`"));
            }
        }
        for token in code
            .iter()
            .filter(|token| limits.words.contains(&token.text.as_str()))
        {
            report(token.line, &format!("`{}`", token.text));
        }
        for line in target_cfgs(&code).into_iter().filter(|_| limits.target_cfg) {
            report(line, "`cfg` on the target");
        }
    }
    violations
}

/// The lines with `cfg(target_…)`, `cfg!(target_…)` or `cfg_attr(target_…)`.
fn target_cfgs(code: &[Token]) -> Vec<usize> {
    let mut lines = Vec::new();
    for (at, token) in code.iter().enumerate() {
        if token.text != "cfg" && token.text != "cfg_attr" {
            continue;
        }
        let open = at + 1 + usize::from(code.get(at + 1).is_some_and(|next| next.text == "!"));
        let inside = code.get(open..past_closing(code, open)).unwrap_or_default();
        if inside.iter().any(|part| part.text.starts_with("target_")) {
            lines.push(token.line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, code: &str) -> Vec<String> {
        check(&Tree::of(&[(path, code)]))
            .into_iter()
            .map(|found| found.message)
            .collect()
    }

    #[test]
    fn the_kernel_cannot_learn_the_time() {
        let kernel = |code| messages("src/kernel/table.rs", code);
        assert_eq!(kernel("use std::time::Duration;"), [""; 0]);
        assert_eq!(
            kernel("use std::{time::{Duration, Instant}};"),
            ["`std::time::Instant` in `kernel`"]
        );
        assert_eq!(
            kernel("fn f() { std::time::SystemTime::now(); }"),
            ["`std::time::SystemTime` in `kernel`"]
        );
        assert_eq!(
            kernel("use std::time::{self};"),
            ["`std::time::self` in `kernel`"]
        );
    }

    #[test]
    fn the_kernel_is_synchronous_and_draws_no_randomness() {
        let kernel = |code| messages("src/kernel/crypto/nonce.rs", code);
        assert_eq!(kernel("async fn f() {}"), ["`async` in `kernel`"]);
        assert_eq!(
            kernel("fn f() { getrandom::fill(x) }"),
            ["`getrandom` in `kernel`"]
        );
        assert_eq!(kernel("// async, getrandom::fill\nfn f() {}"), [""; 0]);
    }

    #[test]
    fn the_engine_does_not_ask_for_its_target() {
        let engine = |code| messages("src/engine/read.rs", code);
        assert_eq!(
            engine("#[cfg(not(target_arch = \"wasm32\"))] use a::b;"),
            ["`cfg` on the target in `engine`"]
        );
        assert_eq!(
            engine("fn f() { if cfg!(target_family = \"wasm\") {} }"),
            ["`cfg` on the target in `engine`"]
        );
        assert_eq!(engine("#[cfg(feature = \"testkit\")] use a::b;"), [""; 0]);
    }

    #[test]
    fn javascript_stays_in_the_browser_layers() {
        let code = "use web_sys::Window;";
        assert_eq!(messages("src/browser/idb.rs", code), [""; 0]);
        assert_eq!(messages("src/platform/sys_wasm.rs", code), [""; 0]);
        assert_eq!(
            messages("src/platform/clock.rs", code),
            ["`web_sys` in `platform`"]
        );
        assert_eq!(
            messages("src/clinic/mod.rs", code),
            ["`web_sys` in `clinic`"]
        );
        assert_eq!(
            messages("src/server/mod.rs", code),
            ["`web_sys` in `server`"]
        );
    }

    #[test]
    fn native_crates_stay_on_the_server() {
        let code = "fn f() { tokio::spawn(g()); }";
        assert_eq!(messages("src/server/hub/mod.rs", code), [""; 0]);
        assert_eq!(messages("src/platform/sys_native.rs", code), [""; 0]);
        assert_eq!(messages("src/engine/mod.rs", code), ["`tokio` in `engine`"]);
        assert_eq!(messages("src/wasm/mod.rs", code), ["`tokio` in `wasm`"]);
    }
}
