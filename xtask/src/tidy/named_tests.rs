//! A test that a page of `docs/` names exists: a control without its test is a wish.

use std::collections::BTreeSet;

use super::{Violation, rust::tokens, tree::Tree};

const RULE: &str = "named-tests";
/// Words of a name from which it is a sentence about behaviour, so a test's.
const WORDS_MIN: usize = 4;

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut known = BTreeSet::new();
    for (_, text) in tree.texts(&["rs"]) {
        let code = tokens(text);
        for pair in code.windows(2) {
            if let [word, name] = pair
                && word.text == "fn"
            {
                known.insert(name.text.clone());
            }
        }
    }
    let mut violations = Vec::new();
    for (path, text) in tree.texts(&["md"]) {
        if !path.starts_with("docs/") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            for span in line.split('`').skip(1).step_by(2) {
                if is_sentence(span) && !known.contains(span) {
                    let message = format!("no test is called `{span}`");
                    violations.push(Violation::new(RULE, path, number + 1, message));
                }
            }
        }
    }
    violations
}

fn is_sentence(span: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    span.split('_').count() >= WORDS_MIN && span.split('_').all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(page: &str) -> Vec<String> {
        let code = "#[test]\nfn a_stale_row_is_marked() {}";
        check(&Tree::of(&[("src/a.rs", code), ("docs/a.md", page)]))
            .into_iter()
            .map(|found| found.message)
            .collect()
    }

    #[test]
    fn a_test_that_exists_and_other_code_pass() {
        assert_eq!(
            messages(
                "`a_stale_row_is_marked` `rust-version` `medical_records:list` `auth_expiring`"
            ),
            [""; 0]
        );
    }

    #[test]
    fn a_test_that_is_gone_is_found() {
        assert_eq!(
            messages("shown by `a_stale_row_is_hidden`"),
            ["no test is called `a_stale_row_is_hidden`"]
        );
    }
}
