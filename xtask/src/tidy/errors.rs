//! The error codes are one list, in Rust and in TypeScript.

use std::collections::BTreeSet;

use super::{Violation, tree::Tree};

const RULE: &str = "errors";
const RUST: &str = "src/error.rs";
const TYPES: &str = "pkg-template/index.d.ts";
const UNION: &str = "type CacheErrorCode";

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let Some(rust) = tree
        .text(RUST)
        .map(rust_codes)
        .filter(|codes| !codes.is_empty())
    else {
        return vec![Violation::new(
            RULE,
            RUST,
            0,
            "no `Self::Code => \"Code\"` found",
        )];
    };
    let types = tree.text(TYPES).map(without_comments).unwrap_or_default();
    let Some(types) = union_members(&types) else {
        return vec![Violation::new(
            RULE,
            TYPES,
            0,
            format!("no `{UNION}` found"),
        )];
    };
    let missing = rust.difference(&types).map(|code| {
        Violation::new(
            RULE,
            TYPES,
            0,
            format!("`{code}` of {RUST} is missing from `{UNION}`"),
        )
    });
    let unknown = types
        .difference(&rust)
        .map(|code| Violation::new(RULE, TYPES, 0, format!("`{code}` is no kind of {RUST}")));
    missing.chain(unknown).collect()
}

/// The strings that the kinds map to.
fn rust_codes(text: &str) -> BTreeSet<&str> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => \""))
        .filter_map(|(_, code)| code.split('"').next())
        .collect()
}

/// The string literals of the union, from its name to its semicolon.
fn union_members(text: &str) -> Option<BTreeSet<&str>> {
    let (_, tail) = text.split_once(UNION)?;
    let (union, _) = tail.split_once(';')?;
    Some(union.split(['"', '\'']).skip(1).step_by(2).collect())
}

fn without_comments(types: &str) -> String {
    let mut pieces = types.split("/*");
    let first = pieces.next().unwrap_or_default().to_owned();
    let code = pieces.fold(first, |code, piece| {
        code + piece.split_once("*/").map_or("", |(_, behind)| behind)
    });
    let lines = code
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODES: &str = "match self {\n  Self::Locked => \"Locked\",\n  Self::Busy => \"Busy\",\n}";

    fn messages(types: &str) -> Vec<String> {
        check(&Tree::of(&[(RUST, CODES), (TYPES, types)]))
            .into_iter()
            .map(|found| found.message)
            .collect()
    }

    #[test]
    fn equal_lists_pass_in_any_order() {
        let types = "export type CacheErrorCode =\n  | \"Busy\"\n  | \"Locked\";\ntype B = \"x\";";
        assert_eq!(messages(types), [""; 0]);
        let explained = "type CacheErrorCode =\n  /** It's full; wait. */\n | \"Busy\"\n // It's shut.\n | \"Locked\";";
        assert_eq!(messages(explained), [""; 0]);
    }

    #[test]
    fn a_code_on_one_side_only_is_found() {
        assert_eq!(
            messages("export type CacheErrorCode = \"Busy\" | \"Tired\";"),
            [
                "`Locked` of src/error.rs is missing from `type CacheErrorCode`",
                "`Tired` is no kind of src/error.rs"
            ]
        );
    }

    #[test]
    fn a_missing_union_is_found() {
        assert_eq!(messages("export type Other = string;").len(), 1);
    }
}
