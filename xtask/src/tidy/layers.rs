//! Imports point downwards: which layer may name which.

use std::collections::BTreeMap;

use super::{
    Violation,
    rust::{Token, tokens, used_paths, without_tests},
    tree::Tree,
};

const RULE: &str = "layers";

/// A layer is a module of the crate's root. Each may name itself, and those listed here.
/// Tests may name everything.
const MAY_USE: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("kernel", &["error"]),
    ("platform", &["error", "kernel"]),
    ("store", &["error", "kernel", "platform"]),
    ("testkit", &["error", "kernel", "platform", "store"]),
    ("engine", &["error", "kernel", "platform", "store"]),
    (
        "clinic",
        &["error", "kernel", "platform", "store", "engine"],
    ),
    (
        "browser",
        &["error", "kernel", "platform", "store", "engine", "clinic"],
    ),
    (
        "server",
        &["error", "kernel", "platform", "store", "engine", "clinic"],
    ),
    (
        "wasm",
        &[
            "error", "kernel", "platform", "store", "engine", "clinic", "browser",
        ],
    ),
];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let reexports = tree
        .text("src/lib.rs")
        .map(root_reexports)
        .unwrap_or_default();
    let mut violations = Vec::new();
    for (path, inner, text) in tree.sources() {
        let module = module_path(inner);
        let Some(layer) = module.first().filter(|_| !is_test_file(inner)) else {
            continue;
        };
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| name == layer) else {
            violations.push(Violation::new(
                RULE,
                path,
                0,
                format!("`{layer}` is no layer that the tree knows"),
            ));
            continue;
        };
        for (line, name) in root_names(&without_tests(&tokens(text)), &module) {
            let target = reexports.get(&name).unwrap_or(&name);
            if target != layer && !allowed.contains(&target.as_str()) {
                violations.push(Violation::new(
                    RULE,
                    path,
                    line,
                    format!("`{layer}` may not use `{target}`"),
                ));
            }
        }
    }
    violations
}

/// Files that hold nothing but tests, by name.
pub(super) fn is_test_file(inner: &str) -> bool {
    inner
        .split('/')
        .any(|part| part == "tests" || part == "tests.rs")
        || inner.ends_with("_tests.rs")
}

/// `engine/read.rs` is `[engine, read]`, `engine/mod.rs` is `[engine]`, `lib.rs` the root.
fn module_path(inner: &str) -> Vec<String> {
    let stem = inner.strip_suffix(".rs").unwrap_or(inner);
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    if stem == "lib" {
        Vec::new()
    } else {
        stem.split('/').map(str::to_owned).collect()
    }
}

/// Where the names that `lib.rs` re-exports come from, so that `crate::Cache` counts as a use
/// of the layer that defines it.
fn root_reexports(lib: &str) -> BTreeMap<String, String> {
    used_paths(&tokens(lib))
        .into_iter()
        .filter_map(|path| {
            let mut segments = path.segments.into_iter().skip_while(|name| name == "crate");
            let layer = segments.next()?;
            let name = segments.last()?;
            Some((name, layer))
        })
        .collect()
}

/// The names below the crate's root that code reaches by `crate::` or by enough `super::`.
fn root_names(tokens: &[Token], module: &[String]) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    for path in used_paths(tokens) {
        let mut segments = path.segments.iter().map(String::as_str).peekable();
        let reaches_root = match segments.peek() {
            Some(&"crate") => segments.next().is_some(),
            Some(&"super") => {
                let mut climbed = 0;
                while segments.next_if_eq(&"super").is_some() {
                    climbed += 1;
                }
                // In an inline module one more `super` is needed: what is not at the root
                // stays within the layer either way.
                climbed >= module.len()
            }
            _ => false,
        };
        if let Some(name) = segments
            .next()
            .filter(|name| reaches_root && *name != "self")
        {
            names.push((path.line, name.to_owned()));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files))
            .into_iter()
            .map(|found| found.message)
            .collect()
    }

    #[test]
    fn every_layer_may_use_itself_and_what_is_below() {
        let found = messages(&[
            ("src/lib.rs", "pub use error::Error; pub use engine::Cache;"),
            (
                "src/engine/read.rs",
                "use crate::{Error, kernel::id, platform, store::memory};",
            ),
            (
                "src/engine/mod.rs",
                "use super::store; use crate::engine::read;",
            ),
            (
                "src/wasm/mod.rs",
                "use crate::{browser::idb, clinic, engine};",
            ),
        ]);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn an_import_that_points_upwards_is_found() {
        let kernel = |code| messages(&[("src/kernel/table.rs", code)]);
        assert_eq!(
            kernel("use crate::platform::Clock;"),
            ["`kernel` may not use `platform`"]
        );
        assert_eq!(
            kernel("use crate::{error, engine};"),
            ["`kernel` may not use `engine`"]
        );
        assert_eq!(
            kernel("fn f() { crate::store::x() }"),
            ["`kernel` may not use `store`"]
        );
        assert_eq!(
            kernel("use super::super::server::x;"),
            ["`kernel` may not use `server`"]
        );
        assert_eq!(
            messages(&[("src/wasm/mod.rs", "use crate::server::hub;")]),
            ["`wasm` may not use `server`"]
        );
    }

    #[test]
    fn a_name_reexported_at_the_root_counts_for_its_layer() {
        let found = messages(&[
            ("src/lib.rs", "pub use engine::{Cache, session::Session};"),
            ("src/kernel/id.rs", "use crate::Session;"),
        ]);
        assert_eq!(found, ["`kernel` may not use `engine`"]);
    }

    #[test]
    fn a_glob_of_the_root_is_found() {
        let found = messages(&[("src/store/memory.rs", "use crate::*;")]);
        assert_eq!(found, ["`store` may not use `*`"]);
    }

    #[test]
    fn tests_may_use_everything() {
        let found = messages(&[
            (
                "src/kernel/id.rs",
                "#[cfg(test)] mod tests { use crate::testkit::Clock; }",
            ),
            ("src/engine/tests.rs", "use crate::testkit::Clock;"),
        ]);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn a_new_layer_has_to_be_declared() {
        let found = messages(&[("src/utils/mod.rs", "")]);
        assert_eq!(found, ["`utils` is no layer that the tree knows"]);
    }
}
