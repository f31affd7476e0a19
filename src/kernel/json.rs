//! The JSON of frames, as a value.
//!
//! `serde_json` reads and writes the text. Frames are made from and into values by hand: derived
//! readers of tagged enums cost a browser more to load than every rule of the feed together.

use serde_json::Value;

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
    /// Reads one value; `None` for anything that is not JSON, or nested deeper than 128. Of equal
    /// names in an object the last one counts.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str::<Value>(text).ok().map(Self::from)
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

    /// The text form, fields in their order. A [`Number`](Self::Number) does not know which it
    /// was: it is null.
    pub(crate) fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null | Self::Number => out.push_str("null"),
            Self::Bool(is) => out.push_str(if *is { "true" } else { "false" }),
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
    out.push_str(&Value::from(text).to_string());
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(is) => Self::Bool(is),
            Value::Number(number) => number.as_u64().map_or(Self::Number, Self::Whole),
            Value::String(text) => Self::Text(text),
            Value::Array(list) => Self::List(list.into_iter().map(Self::from).collect()),
            Value::Object(fields) => Self::Object(
                fields
                    .into_iter()
                    .map(|(name, value)| (name, Self::from(value)))
                    .collect(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_numbers_are_told_from_others() {
        for (text, expected) in [
            ("7", Json::Whole(7)),
            ("18446744073709551615", Json::Whole(u64::MAX)),
            ("18446744073709551616", Json::Number),
            ("-1", Json::Number),
            ("1.0", Json::Number),
            ("1e3", Json::Number),
        ] {
            assert_eq!(Json::parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_or_nested_without_end_is_refused() {
        for text in [
            "",
            "nul",
            "[1,]",
            "{a:1}",
            "1 1",
            "\"a",
            "\"\\ud83d\"",
            "[1]x",
        ] {
            assert_eq!(Json::parse(text), None, "{text}");
        }
        assert_eq!(Json::parse(&"[".repeat(1 << 20)), None);
    }

    #[test]
    fn a_field_that_is_not_there_is_null() {
        let json = Json::parse(r#"{"b":1,"a":2}"#);
        assert_eq!(
            json.as_ref().and_then(|json| json.get("b").whole()),
            Some(1)
        );
        assert_eq!(json.map(|json| json.get("c").clone()), Some(Json::Null));
    }

    #[test]
    fn fields_are_written_in_their_order() {
        let json = Json::Object(vec![
            ("type".to_owned(), Json::Text("hb".to_owned())),
            (
                "at".to_owned(),
                Json::List(vec![Json::Whole(1), Json::Null, Json::Bool(true)]),
            ),
        ]);
        assert_eq!(json.to_text(), r#"{"type":"hb","at":[1,null,true]}"#);
    }

    proptest! {
        #[test]
        fn any_text_survives(text in any::<String>()) {
            let written = Json::Text(text.clone()).to_text();
            prop_assert_eq!(Json::parse(&written), Some(Json::Text(text)));
        }
    }
}
