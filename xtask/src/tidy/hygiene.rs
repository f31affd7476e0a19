//! Small habits: nothing unfinished, no test switched off, no trace of a machine.

use super::{
    Violation,
    layers::is_test_file,
    rust::{Token, tokens},
    tree::Tree,
};

const CODE: &[&str] = &["rs", "js", "mjs", "cjs", "ts", "css", "html", "toml", "sh"];
const SCRIPTS: &[&str] = &["js", "mjs", "cjs", "ts"];

/// Joined here so that this file does not hold the words itself.
const MARKERS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];

/// Open work is an issue, not a comment; a panic is no placeholder.
pub(super) fn unfinished_work(tree: &Tree) -> Vec<Violation> {
    const RULE: &str = "unfinished";
    let mut violations = Vec::new();
    for (path, text) in tree.texts(CODE) {
        for (number, line) in text.lines().enumerate() {
            let words = line.split(|sign: char| !sign.is_alphanumeric());
            for marker in words.filter(|word| MARKERS.contains(word)) {
                let message = format!("{marker}: open an issue instead");
                violations.push(Violation::new(RULE, path, number + 1, message));
            }
        }
    }
    for (path, text) in tree.texts(&["rs"]) {
        for (line, name) in followed_by(&tokens(text), &["todo", "unimplemented", "dbg"], "!") {
            violations.push(Violation::new(RULE, path, line, format!("`{name}!`")));
        }
    }
    violations
}

/// A test that does not run, or that passes by panicking anywhere, tells nothing.
pub(super) fn switched_off_tests(tree: &Tree) -> Vec<Violation> {
    const RULE: &str = "tests";
    let mut violations = Vec::new();
    for (path, text) in tree.texts(&["rs"]) {
        let code = tokens(text);
        for window in code.windows(3) {
            if let [sign, bracket, name] = window
                && sign.text == "#"
                && bracket.text == "["
                && ["ignore", "should_panic"].contains(&name.text.as_str())
            {
                let message = format!("`#[{}]`", name.text);
                violations.push(Violation::new(RULE, path, name.line, message));
            }
        }
    }
    let tests = |path: &str| path.starts_with("tests/") || path.contains(".test.");
    for (path, text) in tree.texts(SCRIPTS).filter(|(path, _)| tests(path)) {
        for (number, line) in text.lines().enumerate() {
            let runner = ["test.", "it.", "describe.", "suite.", "t.", "context."];
            let off = ["skip(", "only(", "todo(", "fixme("];
            let called = runner.iter().any(|runner| {
                line.split(runner)
                    .skip(1)
                    .any(|tail| off.iter().any(|name| tail.starts_with(name)))
            });
            let option = [
                "skip: true",
                "only: true",
                "todo: true",
                "skip: \"",
                "todo: \"",
            ];
            if called || option.iter().any(|option| line.contains(option)) {
                let message = "every test runs, always";
                violations.push(Violation::new(RULE, path, number + 1, message));
            }
        }
    }
    violations
}

/// A test's name is a sentence about behaviour.
pub(super) fn test_names(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in tree.texts(&["rs"]) {
        let code = tokens(text);
        for (at, name) in code
            .iter()
            .enumerate()
            .filter(|(_, name)| name.text.starts_with("test_"))
        {
            let before: Vec<_> = code
                .iter()
                .take(at)
                .rev()
                .take(3)
                .map(|token| token.text.as_str())
                .collect();
            if matches!(before[..], ["fn", "]", ..] | ["fn", "async", "]"]) {
                let message = format!("`{}`: leave the `test_` out", name.text);
                violations.push(Violation::new("test names", path, name.line, message));
            }
        }
    }
    violations
}

/// Every source file says in its first line what it is for. The tests of a file, moved out of
/// it, are for that file.
pub(super) fn module_docs(tree: &Tree) -> Vec<Violation> {
    tree.sources()
        .filter(|(_, inner, _)| !is_test_file(inner))
        .filter(|(_, _, text)| !text.lines().any(|line| line.starts_with("//! ")))
        .map(|(path, _, _)| {
            Violation::new(
                "module docs",
                path,
                1,
                "no `//!` line says what the file is for",
            )
        })
        .collect()
}

/// No file tells where somebody works.
pub(super) fn host_paths(tree: &Tree) -> Vec<Violation> {
    let homes = [
        concat!("/ho", "me/"),
        concat!("/Us", "ers/"),
        concat!("/ro", "ot/"),
    ];
    let mut violations = Vec::new();
    for (path, text) in tree.all_texts() {
        for (number, line) in text.lines().enumerate() {
            // A folder of that name below another one is no home.
            let at_root = |home: &&&str| {
                line.match_indices(**home).any(|(at, _)| {
                    let before = line.get(..at).and_then(|before| before.chars().next_back());
                    !before.is_some_and(|sign| sign.is_alphanumeric() || "._-}/~".contains(sign))
                })
            };
            let host = tree
                .host_folders
                .iter()
                .any(|folder| line.contains(folder.as_str()));
            if host || homes.iter().any(|home| at_root(&home)) {
                violations.push(Violation::new(
                    "host paths",
                    path,
                    number + 1,
                    "an absolute path of one machine",
                ));
            }
        }
    }
    violations
}

/// npm packages are pinned by hash and come from whatever registry the machine is set to.
pub(super) fn lock_files(tree: &Tree) -> Vec<Violation> {
    tree.all_texts()
        .filter(|(path, _)| path.ends_with("package-lock.json"))
        .flat_map(|(path, text)| {
            text.lines()
                .enumerate()
                .filter(|(_, line)| line.contains("\"resolved\": \"http"))
                .map(move |(number, _)| {
                    let message =
                        "a download address: npm install --omit-lockfile-registry-resolved";
                    Violation::new("lock files", path, number + 1, message)
                })
        })
        .collect()
}

/// The tokens among `names` that stand directly before `sign`.
fn followed_by<'a>(code: &'a [Token], names: &[&str], sign: &str) -> Vec<(usize, &'a str)> {
    code.windows(2)
        .filter_map(|pair| match pair {
            [name, next] if next.text == sign && names.contains(&name.text.as_str()) => {
                Some((name.line, name.text.as_str()))
            }
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(rule: fn(&Tree) -> Vec<Violation>, path: &str, text: &str) -> usize {
        rule(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn open_work_in_code_is_found() {
        let comment = format!("// {}: later", MARKERS[0]);
        assert_eq!(count(unfinished_work, "src/a.rs", &comment), 1);
        assert_eq!(count(unfinished_work, "src/a.rs", "fn f() { todo!() }"), 1);
        assert_eq!(count(unfinished_work, "src/a.rs", "fn f() { dbg!(x); }"), 1);
        assert_eq!(
            count(
                unfinished_work,
                "src/a.rs",
                "// no todo!() here\nfn todo() {}"
            ),
            0
        );
    }

    #[test]
    fn a_test_switched_off_is_found() {
        assert_eq!(
            count(
                switched_off_tests,
                "src/a.rs",
                "#[test] #[ignore] fn a() {}"
            ),
            1
        );
        assert_eq!(
            count(
                switched_off_tests,
                "src/a.rs",
                "#[should_panic(expected = \"x\")]"
            ),
            1
        );
        assert_eq!(
            count(switched_off_tests, "src/a.rs", "let ignore = a[ignore];"),
            0
        );
        for call in [
            "test.skip('a')",
            "it.only(\"a\")",
            "test('a', { skip: true }, f)",
        ] {
            assert_eq!(
                count(switched_off_tests, "tests/e2e/a.test.mjs", call),
                1,
                "{call}"
            );
        }
        assert_eq!(
            count(switched_off_tests, "www/app.js", "iterator.skip(1)"),
            0
        );
    }

    #[test]
    fn a_test_named_test_is_found() {
        assert_eq!(count(test_names, "src/a.rs", "#[test] fn test_it() {}"), 1);
        assert_eq!(count(test_names, "src/a.rs", "#[test] fn it_works() {}"), 0);
    }

    #[test]
    fn a_source_without_a_purpose_is_found() {
        assert_eq!(count(module_docs, "src/a.rs", "use a::b;"), 1);
        assert_eq!(count(module_docs, "src/a.rs", "//! What it is for.\n"), 0);
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        let mut tree = Tree::of(&[
            ("a.md", concat!("see /ho", "me/ann/notes")),
            ("b.md", "see /srv/checkout/src"),
            (
                "c.md",
                concat!("https://example.org/ro", "ot/x and ./ho", "me/y"),
            ),
        ]);
        tree.host_folders.push("/srv/checkout".to_owned());
        let found: Vec<_> = host_paths(&tree)
            .into_iter()
            .map(|found| found.path)
            .collect();
        assert_eq!(found, ["a.md", "b.md"]);
    }

    #[test]
    fn a_lock_file_with_an_address_is_found() {
        let text = "{ \n \"resolved\": \"https://registry.example.org/a.tgz\" }";
        assert_eq!(count(lock_files, "tests/e2e/package-lock.json", text), 1);
        assert_eq!(count(lock_files, "tests/e2e/package.json", text), 0);
    }
}
