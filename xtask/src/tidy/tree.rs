//! The files under version control, as the rules see them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

/// Extensions that the rules read. Everything else counts as data, known by its path alone.
const TEXT: &[&str] = &[
    "rs", "js", "mjs", "cjs", "ts", "css", "html", "md", "toml", "json", "txt", "sh", "yml",
];

/// Folders whose files are other people's data: their words follow no rule of ours.
const DATA: &[&str] = &["examples/data/", "tests/vectors/"];

/// The tracked files, and those that `git add --all` would track.
#[derive(Debug, Default)]
pub(super) struct Tree {
    texts: BTreeMap<String, String>,
    paths: BTreeSet<String>,
    /// Absolute folders of the machine that tidies: none of them may stand in a file.
    pub(super) host_folders: Vec<String>,
}

impl Tree {
    pub(super) fn load(root: &Path) -> Result<Self> {
        let listing = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(root)
            .output()
            .context("tidy lists the files with git, which did not start")?;
        ensure!(
            listing.status.success(),
            "tidy works on a git checkout: git ls-files failed"
        );
        let mut tree = Self::default();
        for path in String::from_utf8_lossy(&listing.stdout).split_terminator('\0') {
            let on_disk = root.join(path);
            // A file deleted but not yet staged is still listed.
            if !on_disk.is_file() {
                continue;
            }
            if is_text(path) {
                let text = fs::read_to_string(&on_disk)
                    .with_context(|| format!("{path} is no readable UTF-8 text"))?;
                tree.texts.insert(path.to_owned(), text);
            }
            tree.paths.insert(path.to_owned());
        }
        tree.host_folders.extend(root.to_str().map(str::to_owned));
        tree.host_folders.extend(std::env::var("HOME").ok());
        // `/` as a home, or a checkout there, would match every absolute path.
        tree.host_folders.retain(|folder| folder.len() > 1);
        Ok(tree)
    }

    pub(super) fn len(&self) -> usize {
        self.paths.len()
    }

    /// The texts with one of these extensions, in order of their paths.
    pub(super) fn texts<'a>(
        &'a self,
        extensions: &'a [&str],
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.texts
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .filter(|(path, _)| extensions.contains(&extension(path)))
    }

    pub(super) fn all_texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The Rust files under `src/`, with the path from there: the layers.
    pub(super) fn sources(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.texts(&["rs"])
            .filter_map(|(path, text)| path.strip_prefix("src/").map(|inner| (path, inner, text)))
    }

    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// Whether a file or a folder of that path is in the tree.
    pub(super) fn holds(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        self.paths.contains(path) || self.paths.iter().any(|known| known.starts_with(&folder))
    }
}

fn extension(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn is_text(path: &str) -> bool {
    let script = path == ".ci/run";
    (script || TEXT.contains(&extension(path)))
        && !DATA.iter().any(|folder| path.starts_with(folder))
}

#[cfg(test)]
impl Tree {
    /// A small fake tree.
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.texts.insert((*path).to_owned(), (*text).to_owned());
            tree.paths.insert((*path).to_owned());
        }
        tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_when_a_file_lies_in_it() {
        let tree = Tree::of(&[("docs/format.md", "")]);
        assert!(tree.holds("docs"));
        assert!(tree.holds("docs/format.md"));
        assert!(!tree.holds("doc"));
    }

    #[test]
    fn data_of_other_people_is_not_read() {
        assert!(is_text("src/lib.rs"));
        assert!(is_text(".ci/run"));
        assert!(!is_text("examples/data/notes.md"));
        assert!(!is_text("www/icon.png"));
    }
}
