//! The JSON of frames: a reader of untrusted text and its counterpart.
//!
//! A general deserialiser costs a browser more to load than every rule of the feed together;
//! frames need whole numbers, text, lists and objects, and this is that. The tests hold it
//! against `serde_json`.

/// Deepest nesting that is read: frames need five levels.
const DEPTH_MAX: usize = 64;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// A whole number from 0 to 2⁶⁴ − 1.
    Whole(u64),
    /// Any other number. No field of a frame is one.
    Number,
    Text(String),
    List(Vec<Json>),
    /// Fields in their order.
    Object(Vec<(String, Json)>),
}

static NULL: Json = Json::Null;

impl Json {
    /// Reads one value; `None` for anything that is not JSON, or nested too deeply.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parser = Parser { text, at: 0 };
        let value = parser.value(DEPTH_MAX)?;
        parser.space();
        (parser.at == text.len()).then_some(value)
    }

    /// A field of an object; null where there is none.
    pub(crate) fn get(&self, name: &str) -> &Self {
        let Self::Object(fields) = self else {
            return &NULL;
        };
        fields
            .iter()
            .find(|(field, _)| field == name)
            .map_or(&NULL, |(_, value)| value)
    }

    pub(crate) const fn whole(&self) -> Option<u64> {
        match self {
            Self::Whole(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn string(&self) -> Option<String> {
        self.text().map(str::to_owned)
    }

    /// Each element of a list, read; `None` where one cannot be, or where this is no list.
    pub(crate) fn each<T>(&self, read: impl Fn(&Self) -> Option<T>) -> Option<Vec<T>> {
        match self {
            Self::List(list) => list.iter().map(read).collect(),
            _ => None,
        }
    }

    /// As [`each`](Self::each); empty where there is nothing.
    pub(crate) fn each_or_none<T>(&self, read: impl Fn(&Self) -> Option<T>) -> Option<Vec<T>> {
        match self {
            Self::Null => Some(Vec::new()),
            other => other.each(read),
        }
    }

    /// The text form. A [`Number`](Self::Number) does not know which it was: it is null.
    pub(crate) fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null | Self::Number => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Whole(number) => out.push_str(&number.to_string()),
            Self::Text(text) => write_text(text, out),
            Self::List(list) => {
                for (at, value) in list.iter().enumerate() {
                    out.push(if at == 0 { '[' } else { ',' });
                    value.write(out);
                }
                out.push_str(if list.is_empty() { "[]" } else { "]" });
            }
            Self::Object(fields) => {
                for (at, (name, value)) in fields.iter().enumerate() {
                    out.push(if at == 0 { '{' } else { ',' });
                    write_text(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push_str(if fields.is_empty() { "{}" } else { "}" });
            }
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for sign in text.chars() {
        match sign {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' => {
                out.push_str("\\u00");
                out.push(if sign < '\u{10}' { '0' } else { '1' });
                out.extend(char::from_digit(sign as u32 & 15, 16));
            }
            _ => out.push(sign),
        }
    }
    out.push('"');
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn take_if(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// The next byte that is not white space, taken.
    fn sign(&mut self) -> Option<u8> {
        self.space();
        self.take()
    }

    fn word(&mut self, word: &str, value: Json) -> Option<Json> {
        let rest = self.text.get(self.at..)?;
        rest.starts_with(word).then(|| self.at += word.len())?;
        Some(value)
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        let depth = depth.checked_sub(1)?;
        self.space();
        match self.peek()? {
            b'n' => self.word("null", Json::Null),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'"' => self.string().map(Json::Text),
            b'[' => self.list(depth),
            b'{' => self.object(depth),
            _ => self.number(),
        }
    }

    fn list(&mut self, depth: usize) -> Option<Json> {
        let mut list = Vec::new();
        self.at += 1;
        self.space();
        if self.take_if(b']') {
            return Some(Json::List(list));
        }
        loop {
            list.push(self.value(depth)?);
            match self.sign()? {
                b',' => {}
                b']' => return Some(Json::List(list)),
                _ => return None,
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json> {
        let mut fields = Vec::new();
        self.at += 1;
        self.space();
        if self.take_if(b'}') {
            return Some(Json::Object(fields));
        }
        loop {
            self.space();
            let name = self.string()?;
            if self.sign()? != b':' {
                return None;
            }
            fields.push((name, self.value(depth)?));
            match self.sign()? {
                b',' => {}
                b'}' => return Some(Json::Object(fields)),
                _ => return None,
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        if self.take()? != b'"' {
            return None;
        }
        let mut out = String::new();
        let mut from = self.at;
        loop {
            // Quotes, escapes and control characters are single bytes, so `from..at` begins and
            // ends between characters.
            match self.take()? {
                b'"' => {
                    out.push_str(self.text.get(from..self.at - 1)?);
                    return Some(out);
                }
                b'\\' => {
                    out.push_str(self.text.get(from..self.at - 1)?);
                    out.push(self.escape()?);
                    from = self.at;
                }
                0..=0x1f => return None,
                _ => {}
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.take()? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                if !(0xd800..0xdc00).contains(&first) {
                    // Half of a pair alone is no character.
                    return char::from_u32(first);
                }
                let paired = self.take()? == b'\\' && self.take()? == b'u';
                let second = paired.then(|| self.hex())??;
                let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                return char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + low);
            }
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let mut code = 0;
        for _ in 0..4 {
            code = code << 4 | char::from(self.take()?).to_digit(16)?;
        }
        Some(code)
    }

    fn number(&mut self) -> Option<Json> {
        let negative = self.take_if(b'-');
        let mut whole = Some(0u64);
        if !self.take_if(b'0') {
            let digits = self.digits(|digit| {
                whole = whole
                    .and_then(|number| number.checked_mul(10))
                    .and_then(|number| number.checked_add(digit));
            });
            digits?;
        }
        let mut plain = !negative;
        if self.take_if(b'.') {
            plain = false;
            self.digits(|_| {})?;
        }
        if self.take_if(b'e') || self.take_if(b'E') {
            plain = false;
            let _signed = self.take_if(b'+') || self.take_if(b'-');
            self.digits(|_| {})?;
        }
        Some(whole.filter(|_| plain).map_or(Json::Number, Json::Whole))
    }

    /// One digit or more.
    fn digits(&mut self, mut each: impl FnMut(u64)) -> Option<()> {
        let from = self.at;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            each(u64::from(digit - b'0'));
            self.at += 1;
        }
        (self.at > from).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    /// What `serde_json` would say.
    fn expected(value: &Value) -> Json {
        match value {
            Value::Null => Json::Null,
            Value::Bool(is) => Json::Bool(*is),
            Value::Number(number) => number.as_u64().map_or(Json::Number, Json::Whole),
            Value::String(text) => Json::Text(text.clone()),
            Value::Array(list) => Json::List(list.iter().map(expected).collect()),
            // Its objects are sorted, and of equal names the last one counts: tests of order and
            // of repeated names are below.
            Value::Object(fields) => Json::Object(
                fields
                    .iter()
                    .map(|(name, value)| (name.clone(), expected(value)))
                    .collect(),
            ),
        }
    }

    fn sorted(json: Json) -> Json {
        match json {
            Json::List(list) => Json::List(list.into_iter().map(sorted).collect()),
            Json::Object(fields) => {
                let fields: std::collections::BTreeMap<_, _> = fields
                    .into_iter()
                    .map(|(name, value)| (name, sorted(value)))
                    .collect();
                Json::Object(fields.into_iter().collect())
            }
            other => other,
        }
    }

    fn agrees(text: &str) {
        let theirs = serde_json::from_str::<Value>(text).ok();
        assert_eq!(
            Json::parse(text).map(sorted),
            theirs.as_ref().map(expected),
            "{text}"
        );
    }

    #[test]
    fn numbers_text_and_words_are_read_as_elsewhere() {
        for text in [
            "0",
            "7",
            "18446744073709551615",
            "18446744073709551616",
            "-1",
            "-0",
            "1.0",
            "1e3",
            "1E+3",
            "1.5e-7",
            "01",
            "-",
            "+1",
            ".5",
            "1.",
            "1e",
            "--1",
            "null",
            "nul",
            "nulls",
            "true",
            "false",
            "\"\"",
            "\"a\\u0041\\n\\/\"",
            "\"\\ud83d\\ude00\"",
            "\"\\ud83d\"",
            "\"\\ud83dx\"",
            "\"\\ude00\"",
            "\"\\ud83d\\u0041\"",
            "\"\\u12\"",
            "\"\\x\"",
            "\"\n\"",
            "\"a",
            "\"é\u{1f600}\"",
            "[]",
            "[ ]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[1",
            "{}",
            "{ }",
            "{\"a\":1,}",
            "{\"a\" : [ 1 , {\"b\":null} ] }",
            "{a:1}",
            "{\"a\"}",
            "{\"a\":}",
            "",
            " ",
            " 1 ",
            "1 1",
            "\u{feff}1",
            "[1]x",
        ] {
            agrees(text);
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::parse(&nested(DEPTH_MAX - 1)).is_some());
        assert_eq!(Json::parse(&nested(DEPTH_MAX + 1)), None);
        assert_eq!(Json::parse(&"[".repeat(1 << 20)), None);
    }

    #[test]
    fn of_two_fields_of_one_name_the_first_counts() {
        let json = Json::parse(r#"{"b":1,"a":2,"b":3}"#);
        assert_eq!(
            json.as_ref().and_then(|json| json.get("b").whole()),
            Some(1)
        );
        assert_eq!(json.map(|json| json.get("c").clone()), Some(Json::Null));
    }

    proptest! {
        #[test]
        fn any_text_survives_and_is_written_as_elsewhere(text in any::<String>()) {
            let written = Json::Text(text.clone()).to_text();
            prop_assert_eq!(&written, &serde_json::to_string(&text).unwrap());
            prop_assert_eq!(Json::parse(&written), Some(Json::Text(text)));
        }

        /// Pieces of JSON in any order: mostly broken, sometimes not.
        #[test]
        fn both_readers_agree_on_what_is_json(
            pieces in proptest::collection::vec(
                prop_oneof![
                    Just("{"), Just("}"), Just("["), Just("]"), Just(","), Just(":"), Just("\"a\""),
                    Just("\"b\":"), Just("1"), Just("-2"), Just("0.5"), Just("null"), Just("true"),
                    Just(" "), Just("\\"), Just("\""), Just("\\u0061"), Just("é"),
                ],
                0..9,
            ),
        ) {
            agrees(&pieces.concat());
        }

        #[test]
        fn what_is_written_is_read(
            names in proptest::collection::vec(any::<String>(), 0..5),
            numbers in proptest::collection::vec(any::<u64>(), 0..5),
        ) {
            let list = Json::List(numbers.iter().copied().map(Json::Whole).collect());
            let fields = names.into_iter().map(|name| (name, list.clone())).collect();
            let json = Json::List(vec![Json::Object(fields), Json::Bool(true), Json::Null]);
            prop_assert_eq!(Json::parse(&json.to_text()), Some(json));
        }
    }
}
