//! The lanes that need Node and a browser: the wasm build, the package and the pages.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::{
    demo, package,
    setup::{self, Browser},
    shell, size,
    workspace::{WASM, Workspace},
};

/// How long the runner waits for all the tests of one binary, in seconds.
const WASM_TESTS_TIMEOUT: &str = "300";

/// The tests that begin with `cfg(target_family = "wasm")`, in a window or a worker.
pub(super) fn wasm(workspace: &Workspace) -> Result<()> {
    let browser = setup::browser()?;
    setup::wasm_target(workspace)?;
    let tools = setup::bindgen(workspace)?;
    let binaries = wasm_test_binaries(&workspace.path("tests"))?;
    ensure!(!binaries.is_empty(), "no file of tests/ is for the browser");
    let mut test = workspace.cargo("test");
    test.args(["--target", WASM]);
    for name in &binaries {
        test.args(["--test", name]);
    }
    test.env(
        "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER",
        tools.test_runner,
    )
    .env("CHROMEDRIVER", &browser.driver)
    .env("WASM_BINDGEN_TEST_TIMEOUT", WASM_TESTS_TIMEOUT)
    .env(
        "WASM_BINDGEN_TEST_WEBDRIVER_JSON",
        capabilities(workspace, &browser)?,
    );
    shell::run(&mut test)
}

fn wasm_test_binaries(tests: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(tests).context("tests/ could not be read")? {
        let path = entry?.path();
        let rust = path.extension().is_some_and(|extension| extension == "rs");
        if rust && is_for_wasm(&fs::read_to_string(&path)?) {
            names.extend(
                path.file_stem()
                    .and_then(|stem| stem.to_str())
                    .map(str::to_owned),
            );
        }
    }
    names.sort();
    Ok(names)
}

fn is_for_wasm(source: &str) -> bool {
    source.lines().any(|line| {
        line.starts_with("#![cfg(target_family = \"wasm\")]")
            || line.starts_with("#![cfg(target_arch = \"wasm32\")]")
    })
}

/// The browser's options for the test runner: those of `webdriver.json`, and which program it is.
fn capabilities(workspace: &Workspace, browser: &Browser) -> Result<std::path::PathBuf> {
    let options = fs::read_to_string(workspace.path("webdriver.json"))?;
    let path = workspace.target("webdriver.json");
    fs::write(&path, with_program(&options, &browser.chromium)?)?;
    Ok(path)
}

fn with_program(options: &str, chromium: &Path) -> Result<String> {
    const CHROME: &str = "\"goog:chromeOptions\": {";
    ensure!(options.contains(CHROME), "webdriver.json has no `{CHROME}`");
    let program = chromium
        .to_str()
        .context("the path of Chromium is no text")?;
    let program = program.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(options.replace(CHROME, &format!("{CHROME} \"binary\": \"{program}\",")))
}

/// Builds the package and packs it.
pub(super) fn package(workspace: &Workspace) -> Result<()> {
    package::run(workspace).map(drop)
}

/// The budget of the package.
pub(super) fn size(workspace: &Workspace) -> Result<()> {
    size::run(workspace)
}

/// The type declarations, checked by code that uses them.
pub(super) fn types(workspace: &Workspace) -> Result<()> {
    let folder = workspace.path("tests/types");
    setup::npm_packages(&folder, "the type tests need a compiler")?;
    shell::run(&mut npm_script("test", &folder))
}

/// What is written in JavaScript, by itself: the package's half, the page's parts, the reports of
/// the benchmarks.
pub(super) fn scripts(workspace: &Workspace) -> Result<()> {
    let folder = workspace.path("tests/package");
    setup::npm_packages(&folder, "the tests of the package need them")?;
    shell::run(&mut npm_script("test:unit", &folder))?;
    shell::run(&mut npm_script("test", &workspace.path("bench")))
}

/// The `.tgz` in a project of its own.
pub(super) fn install(workspace: &Workspace) -> Result<()> {
    let browser = setup::browser()?;
    let folder = workspace.path("tests/package");
    setup::npm_packages(&folder, "the tests of the package drive a browser")?;
    let tarball = package::run(workspace)?;
    let mut test = npm_script("test:package", &folder);
    test.env("CLINICACHE_TGZ", tarball)
        .env("CLINICACHE_CHROMIUM", browser.chromium);
    shell::run(&mut test)
}

/// The demo's page in a real browser, in front of its real back end.
pub(super) fn e2e(workspace: &Workspace) -> Result<()> {
    let browser = setup::browser()?;
    let folder = workspace.path("tests/e2e");
    setup::npm_packages(&folder, "the page tests drive a browser")?;
    let package = package::build(workspace)?;
    let server = demo::build_server(workspace)?;
    let mut test = npm_script("test", &folder);
    test.env("CLINICACHE_SERVER", server)
        .env("CLINICACHE_PKG", package)
        .env("CLINICACHE_CHROMIUM", browser.chromium);
    shell::run(&mut test)
}

fn npm_script(name: &str, folder: &Path) -> Command {
    let mut npm = setup::npm();
    npm.args(["run", "--silent", name]).current_dir(folder);
    npm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_for_the_browser_are_told_by_their_first_lines() {
        assert!(is_for_wasm(
            "//! Doc.\n\n#![cfg(target_family = \"wasm\")]\nuse a::b;"
        ));
        assert!(!is_for_wasm("#[cfg(target_family = \"wasm\")]\nuse a::b;"));
    }

    #[test]
    fn the_program_joins_the_options() {
        let options = "{\n \"goog:chromeOptions\": {\n \"args\": [] } }";
        let joined = with_program(options, Path::new("/opt/chromium")).unwrap();
        assert!(
            joined.contains("{ \"binary\": \"/opt/chromium\",\n \"args\""),
            "{joined}"
        );
        assert!(with_program("{}", Path::new("/opt/chromium")).is_err());
    }
}
