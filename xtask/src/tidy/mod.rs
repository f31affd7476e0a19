//! Style that matters is a test: the rules of the tree that no compiler checks.
//!
//! Every rule is a function from a [`Tree`] to its violations, and has a test that shows it
//! catching one.

mod errors;
mod hygiene;
mod layers;
mod links;
mod named_tests;
mod purity;
mod rust;
mod size;
mod tree;

use std::path::Path;

use anyhow::{Result, bail};

use tree::Tree;

/// One broken rule at one place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    path: String,
    /// Counted from 1; 0 stands for the file as a whole.
    line: usize,
    rule: &'static str,
    message: String,
}

impl Violation {
    fn new(rule: &'static str, path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            rule,
            message: message.into(),
        }
    }
}

type Rule = fn(&Tree) -> Vec<Violation>;

/// The rules with the names that their violations carry.
const RULES: &[Rule] = &[
    layers::check,
    purity::check,
    size::check,
    errors::check,
    links::check,
    named_tests::check,
    hygiene::unfinished_work,
    hygiene::switched_off_tests,
    hygiene::test_names,
    hygiene::module_docs,
    hygiene::host_paths,
    hygiene::lock_files,
];

/// Checks the tree at `root` against every rule.
pub(crate) fn run(root: &Path) -> Result<()> {
    let tree = Tree::load(root)?;
    let mut violations: Vec<_> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    violations.sort();
    for Violation {
        path,
        line,
        rule,
        message,
    } in &violations
    {
        println!("{path}:{line}: {rule}: {message}");
    }
    if violations.is_empty() {
        println!(
            "tidy: {} files, {} rules, nothing to report",
            tree.len(),
            RULES.len()
        );
        return Ok(());
    }
    bail!("{} places break a rule of the tree", violations.len());
}
