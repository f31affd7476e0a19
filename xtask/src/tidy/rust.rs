//! As much of Rust's grammar as the rules need: tokens, use trees, test modules.

/// A token of real code: comments are left out, literals have lost their content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) line: usize,
}

impl Token {
    fn is_name(&self) -> bool {
        self.text
            .starts_with(|first: char| first.is_alphabetic() || first == '_')
    }
}

/// A path as code names it, with braces expanded: `a::{b, c::d}` yields `a::b` and `a::c::d`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UsedPath {
    pub(super) segments: Vec<String>,
    pub(super) line: usize,
}

/// Splits code into tokens. `::` is one token, every other sign stands alone.
pub(super) fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        rest: source.chars().collect(),
        at: 0,
        line: 1,
    };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next_token() {
        tokens.push(token);
    }
    tokens
}

struct Lexer {
    rest: Vec<char>,
    at: usize,
    line: usize,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.at + ahead).copied()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek(0)?;
        self.at += 1;
        self.line += usize::from(next == '\n');
        Some(next)
    }

    fn next_token(&mut self) -> Option<Token> {
        loop {
            let line = self.line;
            let text = match (self.peek(0)?, self.peek(1)) {
                (sign, _) if sign.is_whitespace() => {
                    self.bump();
                    continue;
                }
                ('/', Some('/')) => {
                    while self.peek(0).is_some_and(|next| next != '\n') {
                        self.bump();
                    }
                    continue;
                }
                ('/', Some('*')) => {
                    self.skip_block_comment();
                    continue;
                }
                ('"', _) => self.string(),
                ('\'', _) => self.quote(),
                (':', Some(':')) => {
                    self.bump();
                    self.bump();
                    "::".to_owned()
                }
                (first, _) if first.is_alphanumeric() || first == '_' => self.word(),
                (sign, _) => {
                    self.bump();
                    sign.to_string()
                }
            };
            return Some(Token { text, line });
        }
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(next) = self
            .peek(0)
            .filter(|next| next.is_alphanumeric() || *next == '_')
        {
            word.push(next);
            self.bump();
        }
        let raw = matches!(word.as_str(), "r" | "br" | "cr");
        if raw && matches!(self.peek(0), Some('"' | '#')) {
            return self.raw_string(word);
        }
        word
    }

    fn string(&mut self) -> String {
        self.bump();
        while let Some(next) = self.bump() {
            match next {
                '\\' => {
                    self.bump();
                }
                '"' => break,
                _ => {}
            }
        }
        "\"\"".to_owned()
    }

    /// A raw string, or the raw identifier `r#name` that starts alike.
    fn raw_string(&mut self, prefix: String) -> String {
        let mut hashes = 0;
        while self.peek(hashes) == Some('#') {
            hashes += 1;
        }
        if self.peek(hashes) != Some('"') {
            return prefix;
        }
        self.at += hashes + 1;
        while let Some(next) = self.bump() {
            if next == '"' && (0..hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                self.at += hashes;
                break;
            }
        }
        "\"\"".to_owned()
    }

    /// A character literal or a lifetime.
    fn quote(&mut self) -> String {
        let escaped = self.peek(1) == Some('\\');
        if !escaped && self.peek(2) != Some('\'') {
            self.bump();
            return "'".to_owned();
        }
        self.bump();
        if self.bump() == Some('\\') {
            self.bump();
        }
        while self.bump().is_some_and(|next| next != '\'') {}
        "''".to_owned()
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0_usize;
        while let Some(next) = self.peek(0) {
            match (next, self.peek(1)) {
                ('/', Some('*')) => depth += 1,
                ('*', Some('/')) => depth -= 1,
                _ => {
                    self.bump();
                    continue;
                }
            }
            self.bump();
            self.bump();
            if depth == 0 {
                return;
            }
        }
    }
}

fn text_at(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| token.text.as_str())
}

/// The position just past the bracket that closes the one at `open`.
pub(super) fn past_closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// Leaves out what is compiled for tests only: each item behind `#[cfg(test)]`, or behind
/// `#[cfg(all(test, …))]`.
pub(super) fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if let Some(end) = past_cfg_test(tokens, at) {
            at = past_item(tokens, end);
        } else {
            kept.push(token.clone());
            at += 1;
        }
    }
    kept
}

/// The position past the attribute at `at`, where it is one that asks for a test build.
fn past_cfg_test(tokens: &[Token], at: usize) -> Option<usize> {
    let attribute = ["#", "[", "cfg", "("];
    if !(0..)
        .zip(attribute)
        .all(|(step, sign)| text_at(tokens, at + step) == sign)
    {
        return None;
    }
    let end = past_closing(tokens, at + 1);
    let mut inside = tokens
        .get(at + attribute.len()..end)?
        .iter()
        .map(|token| &*token.text);
    let asks = match inside.next()? {
        "test" => true,
        // `any` or `not` in it would let code of other builds through.
        "all" => {
            inside.clone().any(|word| word == "test")
                && !inside.any(|word| word == "any" || word == "not")
        }
        _ => false,
    };
    asks.then_some(end)
}

/// The position past the item that starts at `at`: past its `;`, or its block.
fn past_item(tokens: &[Token], mut at: usize) -> usize {
    while at < tokens.len() {
        match text_at(tokens, at) {
            ";" => return at + 1,
            "{" => return past_closing(tokens, at),
            "(" | "[" => at = past_closing(tokens, at),
            _ => at += 1,
        }
    }
    at
}

/// Every path that the code names, `use` declarations and expressions alike. A path of one
/// segment is not one: it can only name what is already in scope. Nor is a macro's: exported
/// macros stand at the root, whatever layer they belong to.
pub(super) fn used_paths(tokens: &[Token]) -> Vec<UsedPath> {
    let mut paths = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let starts = token.is_name()
            && text_at(tokens, at + 1) == "::"
            && (at == 0 || text_at(tokens, at - 1) != "::");
        let end = if starts {
            expand(tokens, at, &mut Vec::new(), token.line, &mut paths)
        } else {
            at
        };
        at = end.max(at + 1);
    }
    paths
}

/// Expands the use tree at `at` under `prefix`; returns the position behind it.
fn expand(
    tokens: &[Token],
    mut at: usize,
    prefix: &mut Vec<String>,
    line: usize,
    paths: &mut Vec<UsedPath>,
) -> usize {
    let depth = prefix.len();
    while let Some(token) = tokens.get(at) {
        let line = if depth == 0 { line } else { token.line };
        if token.text == "{" {
            let end = past_closing(tokens, at);
            at += 1;
            while at + 1 < end {
                at = expand(tokens, at, prefix, line, paths).max(at + 1);
                while at + 1 < end && text_at(tokens, at) != "," {
                    at += 1;
                }
                at += 1;
            }
            prefix.truncate(depth);
            return end;
        }
        if !token.is_name() && token.text != "*" {
            break;
        }
        prefix.push(token.text.clone());
        at += 1;
        if text_at(tokens, at) == "!" {
            break;
        }
        if text_at(tokens, at) != "::" {
            paths.push(UsedPath {
                segments: prefix.clone(),
                line,
            });
            break;
        }
        at += 1;
        // A turbofish or a qualified path ends what this reads.
        if text_at(tokens, at) == "<" {
            paths.push(UsedPath {
                segments: prefix.clone(),
                line,
            });
            break;
        }
    }
    prefix.truncate(depth);
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<String> {
        tokens(source).into_iter().map(|token| token.text).collect()
    }

    fn paths(source: &str) -> Vec<String> {
        used_paths(&tokens(source))
            .into_iter()
            .map(|path| path.segments.join("::"))
            .collect()
    }

    #[test]
    fn comments_and_literals_hold_no_code() {
        assert_eq!(words("a // b\n/* c /* d */ e */ f"), ["a", "f"]);
        assert_eq!(words(r##"x("todo!", r#"a " b"#, b"y")"##).len(), 9);
        assert_eq!(
            words(r#"let a = '"'; b"#),
            ["let", "a", "=", "''", ";", "b"]
        );
        assert_eq!(words(r"let a = '\''; b"), ["let", "a", "=", "''", ";", "b"]);
        assert_eq!(
            words("fn f<'a>(x: &'a str)")
                .iter()
                .filter(|word| *word == "'")
                .count(),
            2
        );
    }

    #[test]
    fn lines_are_counted_through_comments_and_strings() {
        let last = tokens("/* a\n\n*/ \"b\nc\" d").pop();
        assert_eq!(
            last,
            Some(Token {
                text: "d".to_owned(),
                line: 4
            })
        );
    }

    #[test]
    fn braces_of_a_use_tree_are_expanded() {
        assert_eq!(
            paths("use crate::{kernel::{id, key::*}, store as other};"),
            ["crate::kernel::id", "crate::kernel::key::*", "crate::store"]
        );
        assert_eq!(
            paths("let x = std::mem::take::<u8>(y); z"),
            ["std::mem::take"]
        );
        assert_eq!(paths("pub(crate) fn a() {}"), [""; 0]);
        assert_eq!(paths("$crate::store_properties!(a)"), [""; 0]);
    }

    #[test]
    fn items_for_tests_are_left_out() {
        let code = "a; #[cfg(test)] #[path = \"x\"] mod tests { b; } c; #[cfg(test)] use d; e";
        let kept = without_tests(&tokens(code));
        let kept: Vec<_> = kept.iter().map(|token| token.text.as_str()).collect();
        assert_eq!(kept, ["a", ";", "c", ";", "e"]);
        let left = |code| without_tests(&tokens(code)).len();
        assert_eq!(
            left("#[cfg(all(test, feature = \"x\"))] mod tests { b }"),
            0
        );
        assert_ne!(left("#[cfg(any(test, feature = \"x\"))] mod a { b }"), 0);
        assert_ne!(left("#[cfg(not(test))] mod a { b }"), 0);
    }
}
