//! Relative links of the documents lead somewhere.

use std::collections::BTreeSet;

use super::{Violation, tree::Tree};

const RULE: &str = "links";

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in tree.texts(&["md"]) {
        for (line, target) in links(text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target.as_str(), ""));
            let Some(found) = resolve(path, file).filter(|file| tree.holds(file)) else {
                let message = format!("`{target}` leads nowhere");
                violations.push(Violation::new(RULE, path, line, message));
                continue;
            };
            let Some(page) = tree.text(&found).filter(|_| !anchor.is_empty()) else {
                continue;
            };
            if found.ends_with(".md") && !anchors(page).contains(anchor) {
                let message = format!("`{found}` has no heading `#{anchor}`");
                violations.push(Violation::new(RULE, path, line, message));
            }
        }
    }
    violations
}

/// The path in the tree that `target` means, seen from the page at `from`.
fn resolve(from: &str, target: &str) -> Option<String> {
    if target.is_empty() {
        return Some(from.to_owned());
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for step in target.trim_end_matches('/').split('/') {
        match step {
            "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The targets of `[text](target)` and `[name]: target`, code left out.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, prose) in prose(text) {
        let definition = prose
            .trim_start()
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("]: "));
        if let Some((_, target)) = definition {
            found.push((line, target.trim().to_owned()));
            continue;
        }
        for tail in prose.split("](").skip(1) {
            let target = tail.split([')', ' ']).next().unwrap_or_default();
            found.push((line, target.trim_matches(['<', '>']).to_owned()));
        }
    }
    found
}

/// The lines outside of code fences, without their code spans.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((number + 1, line.split('`').step_by(2).collect()));
        }
    }
    lines
}

/// The anchors that a page's headings get: lower case, words joined by `-`, signs dropped.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced || !line.starts_with('#') {
            continue;
        }
        let slug = line
            .trim_start_matches('#')
            .trim()
            .to_lowercase()
            .chars()
            .filter(|sign| sign.is_alphanumeric() || matches!(sign, ' ' | '-' | '_'))
            .map(|sign| if sign == ' ' { '-' } else { sign })
            .collect();
        found.insert(slug);
    }
    found
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
    fn links_to_files_folders_and_headings_pass() {
        let found = messages(&[
            (
                "README.md",
                "[a](docs/a.md#big-words-and-code) [b](docs/) [c](https://example.org/x)",
            ),
            (
                "docs/a.md",
                "# Big words, and `code`\n[up](../README.md) [here](#big-words-and-code)",
            ),
        ]);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn a_dead_link_is_found() {
        assert_eq!(
            messages(&[("README.md", "[a](docs/gone.md)")]),
            ["`docs/gone.md` leads nowhere"]
        );
        assert_eq!(
            messages(&[("README.md", "[a]: gone.md")]),
            ["`gone.md` leads nowhere"]
        );
        assert_eq!(
            messages(&[("README.md", "[a](../../x.md)")]),
            ["`../../x.md` leads nowhere"]
        );
    }

    #[test]
    fn a_dead_anchor_is_found() {
        let found = messages(&[("README.md", "# One\n[a](#two)")]);
        assert_eq!(found, ["`README.md` has no heading `#two`"]);
    }

    #[test]
    fn code_holds_no_links() {
        let found = messages(&[("README.md", "`[a](b)`\n```rust\nx[0](y)\n```\n")]);
        assert_eq!(found, [""; 0]);
    }
}
