//! The npm package: the browser build, its glue, the hand-written half, and the `.tgz`.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    setup, shell,
    workspace::{WASM, Workspace},
};

/// The half of the package that people write.
const TEMPLATE: &str = "pkg-template";

/// The version that the template's `package.json` holds: there is one version, in `Cargo.toml`.
const VERSION_SLOT: &str = "\"version\": \"0.0.0\"";

/// Files of the root that belong into every published package.
const COMMON: &[&str] = &["LICENSE-MIT", "LICENSE-APACHE", "CHANGELOG.md"];

/// Builds `pkg/` and packs it; returns the path of the `.tgz`.
pub(crate) fn run(workspace: &Workspace) -> Result<PathBuf> {
    setup::node()?;
    let folder = build(workspace)?;
    let mut pack = setup::npm();
    pack.args(["pack", "--silent"]).current_dir(&folder);
    let name = shell::capture(&mut pack).context("the package could not be packed")?;
    let tarball = folder.join(name);
    ensure!(tarball.is_file(), "npm pack made no file");
    println!("packed {}", tarball.display());
    Ok(tarball)
}

/// Builds `pkg/`, the package as a page or a bundler reads it; returns its path.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    setup::wasm_target(workspace)?;
    let tools = setup::bindgen(workspace)?;
    let places = builder_places(workspace);
    // Not `cargo build`: for a package that is both `cdylib` and `rlib` cargo leaves link-time
    // optimisation out without a word.
    let mut build = workspace.cargo("rustc");
    build.args([
        "--lib",
        "--profile",
        "wasm-release",
        "--crate-type",
        "cdylib",
        "--target",
        WASM,
    ]);
    shell::run(build.args(["--config", &without_places(&places)]))?;
    let wasm = workspace.target(WASM).join("wasm-release/clinicache.wasm");

    // Filled aside and moved in one step: a failed build leaves the last good package.
    let stage = workspace.target("npm");
    remove(&stage)?;
    let mut bindgen = workspace.command(&tools.bindgen);
    bindgen.arg(&wasm).args([
        "--target",
        "web",
        "--out-name",
        "clinicache",
        "--no-typescript",
    ]);
    // The loader names the file itself: a default path would pull it into every bundle.
    bindgen.args(["--omit-default-module-path", "--remove-name-section"]);
    bindgen
        .args(["--remove-producers-section", "--out-dir"])
        .arg(&stage);
    shell::run(&mut bindgen)?;

    let module =
        fs::read(stage.join("clinicache_bg.wasm")).context("wasm-bindgen made no module")?;
    for place in &places {
        ensure!(
            !holds(&module, place),
            "the module names a folder of this machine"
        );
    }

    copy_folder(&workspace.path(TEMPLATE), &stage)?;
    for name in COMMON {
        fs::copy(workspace.path(name), stage.join(name))
            .with_context(|| format!("{name} could not be copied into the package"))?;
    }
    let manifest = stage.join("package.json");
    let template = fs::read_to_string(&manifest)
        .with_context(|| format!("{TEMPLATE}/package.json could not be read"))?;
    let version = workspace_version(&fs::read_to_string(workspace.path("Cargo.toml"))?)?;
    fs::write(&manifest, with_version(&template, &version)?)?;

    let folder = workspace.path("pkg");
    remove(&folder)?;
    fs::rename(&stage, &folder).context("the package could not be moved to pkg/")?;
    println!("built {}", folder.display());
    Ok(folder)
}

/// The folders of this machine that panics of the built code would name: where crates were
/// unpacked, and this checkout.
fn builder_places(workspace: &Workspace) -> Vec<String> {
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let default = || env::home_dir().map(|home| home.join(".cargo"));
    let crates = cargo_home
        .or_else(default)
        .map(|home| home.join("registry/src"));
    let places = crates.into_iter().chain([workspace.root().to_owned()]);
    places
        .filter_map(|place| Some(format!("{}/", place.to_str()?)))
        .collect()
}

/// The setting that cuts these folders off the paths: a package is the same wherever it is built.
fn without_places(places: &[String]) -> String {
    let flags = places
        .iter()
        .map(|place| format!("{:?}", format!("--remap-path-prefix={place}=")));
    format!(
        "target.{WASM}.rustflags=[{}]",
        flags.collect::<Vec<_>>().join(", ")
    )
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// The version under `[workspace.package]`.
fn workspace_version(manifest: &str) -> Result<String> {
    manifest
        .lines()
        .skip_while(|line| line.trim() != "[workspace.package]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
        .map(str::to_owned)
        .context("Cargo.toml has no version under [workspace.package]")
}

fn with_version(template: &str, version: &str) -> Result<String> {
    ensure!(
        template.matches(VERSION_SLOT).count() == 1,
        "{TEMPLATE}/package.json must hold `{VERSION_SLOT}` once: the build fills it"
    );
    Ok(template.replace(VERSION_SLOT, &format!("\"version\": \"{version}\"")))
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    let entries =
        fs::read_dir(from).with_context(|| format!("{} could not be read", from.display()))?;
    for entry in entries {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            ensure!(
                !target.exists(),
                "{} is both written by hand and generated",
                entry.path().display()
            );
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} could not be removed", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_comes_from_the_workspace() {
        let manifest = "[package]\nversion = \"9.9.9\"\n[workspace.package]\nedition = \"2024\"\n\
                        version = \"0.1.0\"\n[profile.dev]\n";
        assert_eq!(workspace_version(manifest).unwrap(), "0.1.0");
        assert!(workspace_version("[package]\nversion = \"9.9.9\"").is_err());
    }

    #[test]
    fn the_template_holds_one_slot_for_the_version() {
        let filled = with_version("{ \"version\": \"0.0.0\" }", "0.1.0").unwrap();
        assert_eq!(filled, "{ \"version\": \"0.1.0\" }");
        assert!(with_version("{ \"version\": \"1.0.0\" }", "0.1.0").is_err());
    }

    #[test]
    fn the_folders_of_the_builder_are_cut_off() {
        assert_eq!(
            without_places(&["/srv/a b/".to_owned()]),
            "target.wasm32-unknown-unknown.rustflags=[\"--remap-path-prefix=/srv/a b/=\"]"
        );
        assert!(holds(b"at /srv/a b/src", "/srv/a b/"));
        assert!(!holds(b"at src/lib.rs", "/srv/a b/"));
    }

    #[test]
    fn a_file_that_is_generated_is_not_overwritten() {
        let folder = env::temp_dir().join(format!("xtask-copy-{}", std::process::id()));
        let (from, to) = (folder.join("from"), folder.join("to"));
        fs::create_dir_all(from.join("lib")).unwrap();
        fs::write(from.join("lib/a.js"), "a").unwrap();
        copy_folder(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("lib/a.js")).unwrap(), "a");
        assert!(copy_folder(&from, &to).is_err());
        remove(&folder).unwrap();
        remove(&folder).unwrap();
    }
}
