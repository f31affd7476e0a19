//! Files fit in a head. Those that do not yet are listed, and the list only shrinks.

use std::collections::BTreeMap;

use super::{Violation, tree::Tree};

const RULE: &str = "size";

/// Lines of one file, comments and tests included.
const LIMIT: usize = 600;

/// Per line of this file: a path and the number of lines that it may not exceed.
const RATCHET: &str = "xtask/size-ratchet.txt";

const COUNTED: &[&str] = &["rs", "js", "mjs", "cjs", "ts", "css", "html"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut exceptions = BTreeMap::new();
    for (number, line) in tree.text(RATCHET).unwrap_or_default().lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line
            .split_once(' ')
            .and_then(|(path, lines)| Some((path, lines.parse().ok()?)))
        {
            Some((path, lines)) => {
                exceptions.insert(path, (number + 1, lines));
            }
            None => violations.push(Violation::new(
                RULE,
                RATCHET,
                number + 1,
                "a line is a path, a space and a number",
            )),
        }
    }
    for (path, text) in tree.texts(COUNTED) {
        let lines = text.lines().count();
        match exceptions.remove(path) {
            None if lines > LIMIT => violations.push(Violation::new(
                RULE,
                path,
                0,
                format!("{lines} lines: cut it, {LIMIT} is the limit"),
            )),
            Some((_, allowed)) if lines > allowed => violations.push(Violation::new(
                RULE,
                path,
                0,
                format!("{lines} lines, and it may not grow past {allowed}: cut it"),
            )),
            Some((number, _)) if lines <= LIMIT => violations.push(Violation::new(
                RULE,
                RATCHET,
                number,
                format!("{path} fits the limit now: remove its line"),
            )),
            Some((number, allowed)) if lines < allowed => violations.push(Violation::new(
                RULE,
                RATCHET,
                number,
                format!("{path} has shrunk: lower its number to {lines}"),
            )),
            _ => {}
        }
    }
    for (path, (number, _)) in exceptions {
        violations.push(Violation::new(
            RULE,
            RATCHET,
            number,
            format!("{path} does not exist"),
        ));
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(ratchet: &str, lines: usize) -> Vec<String> {
        let text = "\n".repeat(lines);
        check(&Tree::of(&[(RATCHET, ratchet), ("src/long.rs", &text)]))
            .into_iter()
            .map(|found| found.message)
            .collect()
    }

    #[test]
    fn a_file_over_the_limit_is_found() {
        assert_eq!(messages("", 600), [""; 0]);
        assert_eq!(messages("", 601), ["601 lines: cut it, 600 is the limit"]);
    }

    #[test]
    fn a_listed_file_may_shrink_but_not_grow() {
        assert_eq!(messages("src/long.rs 700", 700), [""; 0]);
        assert_eq!(messages("src/long.rs 700", 701).len(), 1);
        assert_eq!(
            messages("src/long.rs 700", 699),
            ["src/long.rs has shrunk: lower its number to 699"]
        );
        assert_eq!(
            messages("# why\nsrc/long.rs 700", 500),
            ["src/long.rs fits the limit now: remove its line"]
        );
    }

    #[test]
    fn the_list_names_files_that_exist() {
        assert_eq!(
            messages("src/gone.rs 700", 1),
            ["src/gone.rs does not exist"]
        );
        assert_eq!(messages("nonsense", 1).len(), 1);
    }
}
