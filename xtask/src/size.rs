//! The size of what a page loads, as a number that somebody sees and a limit that holds.

use anyhow::{Context as _, Result, ensure};

use crate::{package, setup, shell, workspace::Workspace};

/// What a page should load: bytes after Brotli of WebAssembly, glue and hand-written modules.
const BUDGET: u64 = 150_000;

/// What it may load. Like the sizes of files this only shrinks, until it meets the budget.
const LIMIT: u64 = 230_000;

/// Prints `name raw compressed` for each module that a page loads. Node has Brotli built in.
const MEASURE: &str = r#"
const { readdirSync, readFileSync } = require("node:fs");
const { brotliCompressSync } = require("node:zlib");
const [folder] = process.argv.slice(1);
const scripts = readdirSync(`${folder}/lib`).filter((name) => name.endsWith(".js"));
const modules = scripts.map((name) => `lib/${name}`);
for (const name of ["clinicache_bg.wasm", "clinicache.js", "index.js", ...modules]) {
  const bytes = readFileSync(`${folder}/${name}`);
  console.log(name, bytes.length, brotliCompressSync(bytes).length);
}
"#;

/// One measured file.
struct Size {
    name: String,
    raw: u64,
    compressed: u64,
}

/// Builds the package and measures it.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    package::build(workspace)?;
    report(workspace)
}

/// Measures the package that `pkg/` holds; fails over the budget.
pub(crate) fn report(workspace: &Workspace) -> Result<()> {
    setup::node()?;
    let mut node = workspace.command("node");
    node.args(["--eval", MEASURE, "--"])
        .arg(workspace.path("pkg"));
    let sizes = parse(&shell::capture(&mut node)?)?;
    println!("{:<24} {:>10} {:>10}", "bytes", "raw", "brotli");
    for Size {
        name,
        raw,
        compressed,
    } in &sizes
    {
        println!("{name:<24} {raw:>10} {compressed:>10}");
    }
    let raw: u64 = sizes.iter().map(|size| size.raw).sum();
    let compressed: u64 = sizes.iter().map(|size| size.compressed).sum();
    println!(
        "{:<24} {raw:>10} {compressed:>10}  limit {LIMIT}, budget {BUDGET}",
        "total"
    );
    ensure!(
        compressed <= LIMIT,
        "the package is {} bytes over its limit",
        compressed - LIMIT
    );
    Ok(())
}

fn parse(report: &str) -> Result<Vec<Size>> {
    report
        .lines()
        .map(|line| parse_line(line).context("the sizes could not be read"))
        .collect()
}

fn parse_line(line: &str) -> Option<Size> {
    let mut words = line.split(' ');
    let name = words.next()?.to_owned();
    Some(Size {
        name,
        raw: words.next()?.parse().ok()?,
        compressed: words.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_of_sizes_is_read() {
        let sizes = parse("a.wasm 200 100\nlib/b.js 20 10").unwrap();
        assert_eq!(sizes.iter().map(|size| size.compressed).sum::<u64>(), 110);
        assert!(parse("a.wasm many few").is_err());
    }
}
