//! Licences and sources of dependencies, and which of them may reach a browser.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result, ensure};

use crate::{
    shell,
    workspace::{WASM, Workspace},
};

/// Crates of the native features: none of them may be part of a browser build. (tokio itself may:
/// rexie takes its channels from there.)
const NATIVE_ONLY: &[&str] = &["axum", "hyper", "mio", "redb", "redis", "socket2"];

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(super) fn run(workspace: &Workspace) -> Result<()> {
    browser_build(workspace)?;
    let mut version = workspace.command("cargo-deny");
    if shell::find_program(&["cargo-deny"]).is_some() && shell::capture(version.arg("-V")).is_ok() {
        let mut deny = workspace.command("cargo-deny");
        deny.args(["--locked", "check", "bans", "licenses", "sources"]);
        return shell::run(&mut deny);
    }
    println!("cargo-deny is not installed: reading deny.toml without it (licences, bans, sources)");
    let rules = fs::read_to_string(workspace.path("deny.toml"))?;
    let lock = fs::read_to_string(workspace.path("Cargo.lock"))?;
    let mut tree = workspace.cargo("tree");
    tree.args([
        "--workspace",
        "--target",
        "all",
        "--edges",
        "all",
        "--prefix",
        "none",
    ]);
    let licences = shell::capture(tree.args(["--format", "{p}|{l}"]))?;
    let found = complaints(&rules, &lock, &licences)?;
    ensure!(found.is_empty(), "deny.toml refuses:\n{}", found.join("\n"));
    Ok(())
}

/// Whatever features are on, a browser build holds no native crate.
fn browser_build(workspace: &Workspace) -> Result<()> {
    let mut tree = workspace.cargo("tree");
    tree.args([
        "--package",
        "clinicache",
        "--all-features",
        "--target",
        WASM,
    ]);
    tree.args(["--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    let listed = shell::capture(&mut tree)?;
    let found: BTreeSet<_> = listed
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let strays: Vec<_> = NATIVE_ONLY
        .iter()
        .filter(|name| found.contains(*name))
        .collect();
    ensure!(
        strays.is_empty(),
        "crates of the server reach the browser build: {strays:?}"
    );
    Ok(())
}

fn complaints(rules: &str, lock: &str, licences: &str) -> Result<Vec<String>> {
    let allowed = list(rules, "licenses", "allow").context("deny.toml allows no licence")?;
    let denied = list(rules, "bans", "deny").context("deny.toml bans nothing")?;
    let mut found = BTreeSet::new();
    for line in licences.lines() {
        let Some((package, licence)) = line.split_once('|') else {
            continue;
        };
        let name = package.split(' ').next().unwrap_or(package);
        // A package listed before is listed without its tree, with this mark.
        let licence = licence.trim_end_matches("(*)").trim();
        if !satisfied(licence, &allowed) {
            found.insert(format!("{package}: licence `{licence}`"));
        }
        if denied.contains(&name) {
            found.insert(format!("{package}: banned"));
        }
    }
    let sources = lock
        .lines()
        .filter_map(|line| line.strip_prefix("source = "));
    for source in sources.filter(|source| source.trim_matches('"') != CRATES_IO) {
        found.insert(format!("source {source}"));
    }
    Ok(found.into_iter().collect())
}

/// The strings of `key = [ … ]` in a section of a TOML file.
fn list<'a>(toml: &'a str, section: &str, key: &str) -> Option<Vec<&'a str>> {
    let (_, tail) = toml.split_once(&format!("[{section}]\n"))?;
    let section = tail.split("\n[").next()?;
    let (_, tail) = section.split_once(&format!("\n{key} = [")).or_else(|| {
        section
            .strip_prefix(&format!("{key} = ["))
            .map(|tail| ("", tail))
    })?;
    Some(
        tail.split(']')
            .next()?
            .split('"')
            .skip(1)
            .step_by(2)
            .collect(),
    )
}

/// Whether one choice of an SPDX expression is allowed. `/` is the old way to write `OR`;
/// brackets hold alternatives that an `AND` joins, as they do in every crate seen.
fn satisfied(expression: &str, allowed: &[&str]) -> bool {
    let parts = expression.split(" AND ");
    !expression.is_empty()
        && parts.map(|part| part.trim_matches(['(', ')'])).all(|part| {
            let mut choices = part.split(" OR ").flat_map(|choice| choice.split('/'));
            choices.any(|choice| allowed.contains(&choice.trim()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "[licenses]\nallow = [\n  \"MIT\",\n  \"Unicode-3.0\",\n]\n\n[bans]\n\
                         wildcards = \"deny\"\ndeny = [\"openssl\"]\n";

    #[test]
    fn an_expression_needs_one_allowed_choice_of_each_part() {
        let allowed = ["MIT", "Unicode-3.0"];
        assert!(satisfied("MIT OR Apache-2.0", &allowed));
        assert!(satisfied("Apache-2.0/MIT", &allowed));
        assert!(satisfied("(MIT OR Apache-2.0) AND Unicode-3.0", &allowed));
        assert!(!satisfied("MIT AND GPL-3.0", &allowed));
        assert!(!satisfied("GPL-3.0", &allowed));
        assert!(!satisfied("", &allowed));
    }

    #[test]
    fn a_licence_a_ban_and_a_source_are_found() {
        let good = "serde v1.0.0|MIT OR Apache-2.0\nserde v1.0.0|MIT OR Apache-2.0 (*)";
        let source = format!("source = \"{CRATES_IO}\"");
        assert_eq!(complaints(RULES, &source, good).unwrap(), [""; 0]);
        let bad = "a v1.0.0|GPL-3.0\nopenssl v1.0.0|MIT";
        let found = complaints(RULES, "source = \"git+https://example.org/x\"", bad).unwrap();
        assert_eq!(found.len(), 3, "{found:?}");
    }
}
