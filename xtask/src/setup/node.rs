//! Node and the npm packages of a folder.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

use super::announce;
use crate::shell;

/// The oldest Node that the tests run on.
const NODE_MAJOR: u32 = 20;

/// Fails with one line where Node or npm is missing or too old.
pub(crate) fn node() -> Result<()> {
    let missing =
        || format!("Node.js {NODE_MAJOR} or newer with npm is needed: install it from nodejs.org");
    let version = shell::capture(Command::new("node").arg("--version")).with_context(missing)?;
    let major = major(&version).with_context(|| format!("unknown Node version `{version}`"))?;
    if major < NODE_MAJOR {
        bail!("Node.js {version} is too old. {}", missing());
    }
    shell::find_program(&["npm", "npm.cmd"]).with_context(missing)?;
    Ok(())
}

fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Installs the packages that the folder's lock file names, unless that is done already.
pub(crate) fn npm_packages(folder: &Path, why: &str) -> Result<()> {
    node()?;
    let lock = folder.join("package-lock.json");
    let installed = folder.join("node_modules/.package-lock.json");
    let lock_time = fs::metadata(&lock)
        .and_then(|found| found.modified())
        .with_context(|| format!("{} is missing", lock.display()))?;
    let install_time = fs::metadata(installed).and_then(|found| found.modified());
    if install_time.is_ok_and(|time| time >= lock_time) {
        return Ok(());
    }
    let name = folder
        .file_name()
        .unwrap_or(folder.as_os_str())
        .to_string_lossy();
    announce(&format!("installing the npm packages of `{name}`"), why);
    // Scripts of packages would fetch browsers of their own; nothing here needs them.
    let flags = [
        "ci",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--loglevel=error",
    ];
    shell::run(npm().args(flags).current_dir(folder))
}

/// npm, which is a script with another name on Windows.
pub(crate) fn npm() -> Command {
    Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read() {
        assert_eq!(major("v20.20.2"), Some(20));
        assert_eq!(major("20.1"), None);
    }
}
