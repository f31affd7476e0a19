//! Reading people from newline-delimited FHIR resources.
//!
//! Messages name the file and the line and never what stands there: a broken line of a patient
//! file is still a patient's data.

use serde_json::Value;
use std::{fmt, io, path::Path};

/// What the database keeps. Other files of a folder are left alone.
pub(crate) const TYPES: &[&str] = &[
    "Patient",
    "Practitioner",
    "Encounter",
    "Condition",
    "AllergyIntolerance",
    "MedicationRequest",
    "Observation",
    "DiagnosticReport",
];

/// Why a folder could not be loaded. One line each.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LoadError {
    /// The folder or a file in it cannot be read.
    Unreadable { what: String, kind: io::ErrorKind },
    /// A line is not what it should be.
    Line {
        file: String,
        line: usize,
        problem: String,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { what, kind } => write!(f, "cannot read {what}: {kind}"),
            Self::Line {
                file,
                line,
                problem,
            } => write!(f, "{file}, line {line}: {problem}"),
        }
    }
}

/// One resource with its type and id already checked.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) kind: &'static str,
    pub(crate) id: String,
    pub(crate) body: Value,
    /// Where it stood, so that a duplicate can be reported.
    pub(crate) file: String,
    pub(crate) line: usize,
}

impl Loaded {
    /// An error about this resource's line.
    pub(crate) fn refuse(&self, problem: &str) -> LoadError {
        LoadError::Line {
            file: self.file.clone(),
            line: self.line,
            problem: problem.to_owned(),
        }
    }
}

/// Reads every known file of `folder`. Only `Patient.ndjson` must be there.
pub(crate) fn read_folder(folder: &Path) -> Result<Vec<Loaded>, LoadError> {
    let mut resources = Vec::new();
    for kind in TYPES.iter().copied() {
        let path = folder.join(format!("{kind}.ndjson"));
        match std::fs::read(&path) {
            Ok(bytes) => resources.extend(parse(kind, &path.display().to_string(), &bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound && kind != "Patient" => {}
            Err(error) => {
                return Err(LoadError::Unreadable {
                    what: path.display().to_string(),
                    kind: error.kind(),
                });
            }
        }
    }
    Ok(resources)
}

/// Reads one file's bytes. Empty lines, a byte-order mark and CRLF are tolerated.
pub(crate) fn parse(
    kind: &'static str,
    file: &str,
    bytes: &[u8],
) -> Result<Vec<Loaded>, LoadError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut resources = Vec::new();
    for (index, text) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let refuse = |problem: String| LoadError::Line {
            file: file.to_owned(),
            line: index + 1,
            problem,
        };
        let body: Value = serde_json::from_slice(text)
            .map_err(|error| refuse(format!("not valid JSON at column {}", error.column())))?;
        if body.get("resourceType").and_then(Value::as_str) != Some(kind) {
            return Err(refuse(format!("not a resource of type {kind}")));
        }
        let id = body
            .get("id")
            .and_then(Value::as_str)
            .filter(|id| is_fhir_id(id))
            .ok_or_else(|| refuse("no valid id".to_owned()))?
            .to_owned();
        resources.push(Loaded {
            kind,
            id,
            body,
            file: file.to_owned(),
            line: index + 1,
        });
    }
    Ok(resources)
}

/// FHIR R4 `id`: 1 to 64 of `A-Z a-z 0-9 - .`
pub(crate) fn is_fhir_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(bytes: &[u8]) -> String {
        match parse("Patient", "Patient.ndjson", bytes) {
            Ok(_) => String::from("fine"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn byte_order_marks_empty_lines_and_carriage_returns_are_tolerated() {
        let text =
            b"\xef\xbb\xbf{\"resourceType\":\"Patient\",\"id\":\"a\"}\r\n\r\n{\"resourceType\":\"Patient\",\"id\":\"b\"}";
        let ids: Vec<_> = parse("Patient", "f", text)
            .into_iter()
            .flatten()
            .map(|loaded| (loaded.id, loaded.line))
            .collect();
        assert_eq!(ids, [("a".to_owned(), 1), ("b".to_owned(), 3)]);
    }

    #[test]
    fn a_broken_line_is_named_by_file_and_number_and_never_quoted() {
        let good = r#"{"resourceType":"Patient","id":"a"}"#;
        let cut = format!("{good}\n{{\"name\":\"Secretperson");
        let message = problem(cut.as_bytes());
        assert!(
            message.starts_with("Patient.ndjson, line 2: not valid JSON at column"),
            "{message}"
        );
        assert!(!message.contains("Secretperson"), "{message}");

        let wrong = format!("{good}\n{good}\n{{\"resourceType\":\"Secretperson\",\"id\":\"a\"}}");
        assert_eq!(
            problem(wrong.as_bytes()),
            "Patient.ndjson, line 3: not a resource of type Patient"
        );
        let no_id = r#"{"resourceType":"Patient","id":"Secret person"}"#;
        assert_eq!(
            problem(no_id.as_bytes()),
            "Patient.ndjson, line 1: no valid id"
        );
        assert!(problem(b"\"Secretperson\xff\"").starts_with("Patient.ndjson, line 1: not valid"));
    }
}
