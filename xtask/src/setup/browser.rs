//! A Chromium and its driver: found, or installed from Debian's packages as root.

use std::{env, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};

use super::announce;
use crate::shell;

/// The programs that drive pages.
#[derive(Debug)]
pub(crate) struct Browser {
    pub(crate) chromium: PathBuf,
    pub(crate) driver: PathBuf,
}

const CHROMIUM: &[&str] = &[
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];
const DRIVER: &[&str] = &["chromedriver"];
const INSTALL: &str = "apt-get update && apt-get install -y chromium chromium-driver";

/// Finds the browser (`CHROMIUM` and `CHROMEDRIVER` decide where they are set), or installs it.
pub(crate) fn browser() -> Result<Browser> {
    if let Some(found) = find()? {
        return Ok(found);
    }
    if !can_install() {
        bail!(
            "no Chromium with chromedriver on the PATH: install both (on Debian and Ubuntu as \
             root: {INSTALL}), or point CHROMIUM and CHROMEDRIVER at them"
        );
    }
    announce(
        "installing chromium and chromium-driver with apt-get",
        "the tests run in a browser",
    );
    let mut apt = Command::new("sh");
    apt.args(["-ec", INSTALL])
        .env("DEBIAN_FRONTEND", "noninteractive");
    shell::run(&mut apt).context("Chromium could not be installed")?;
    find()?.context("apt-get installed no Chromium with chromedriver")
}

fn find() -> Result<Option<Browser>> {
    let chromium = from_env("CHROMIUM")?.or_else(|| shell::find_program(CHROMIUM));
    let driver = from_env("CHROMEDRIVER")?.or_else(|| shell::find_program(DRIVER));
    Ok(chromium
        .zip(driver)
        .map(|(chromium, driver)| Browser { chromium, driver }))
}

/// A program that a variable names has to exist: another one would not be what was asked for.
fn from_env(name: &str) -> Result<Option<PathBuf>> {
    let Some(path) = env::var_os(name).map(PathBuf::from) else {
        return Ok(None);
    };
    if !path.is_file() {
        bail!("{name} names no file");
    }
    Ok(Some(path))
}

/// System packages are installed only where nobody has to be asked: as root, with apt.
fn can_install() -> bool {
    let root = shell::capture(Command::new("id").arg("-u")).is_ok_and(|user| user == "0");
    root && shell::find_program(&["apt-get"]).is_some()
}
