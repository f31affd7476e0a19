//! Typed identifiers.
//!
//! Parsed once, where they come in; from then on the type says what they name. Errors tell the
//! field and the rule, never the text. `Debug` shows the type alone: an identifier of a patient
//! is protected health information.

use crate::{error::Result, kernel::class::PartKind};
use std::{fmt, sync::Arc};

/// Longest identifier, in bytes of UTF-8.
pub const ID_BYTES_MAX: usize = 256;
/// The largest time, in Unix milliseconds: times travel as JSON numbers.
pub const TIME_MS_MAX: u64 = (1 << 53) - 1;
/// In `alerts:active`, everybody.
pub const ALL: &str = "all";

/// Length and characters, common to identifiers and words.
pub(crate) fn check_text(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.len() > ID_BYTES_MAX {
        return Err("must be 1 to 256 bytes long");
    }
    // Most identifiers are printable ASCII, which needs no decoding. `char::is_control` is
    // exactly C0, DEL and C1.
    let printable = |byte: u8| (0x20..0x7f).contains(&byte);
    if !text.bytes().all(printable) && text.chars().any(char::is_control) {
        return Err("must not hold control characters");
    }
    Ok(())
}

/// A patient's identifier.
pub(crate) fn check_patient(text: &str) -> Result<(), &'static str> {
    if text == ALL {
        return Err("must name one patient: `all` is reserved");
    }
    check_text(text)
}

/// A day that the calendar has.
pub(crate) fn check_date(text: &str) -> Result<(), &'static str> {
    parse_date(text)
        .map(drop)
        .ok_or("must be a calendar date such as 2026-11-23")
}

fn parse_date(text: &str) -> Option<(u16, u8, u8)> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = *text.as_bytes() else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u16, |value, digit| {
            digit
                .is_ascii_digit()
                .then(|| value * 10 + u16::from(digit - b'0'))
        })
    };
    let (year, month, day) = (
        number(&[y0, y1, y2, y3])?,
        number(&[m0, m1])?,
        number(&[d0, d1])?,
    );
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    // ISO 8601 has a year 0000; no hospital has.
    (year > 0 && (1..=days).contains(&day)).then_some((
        year,
        u8::try_from(month).ok()?,
        u8::try_from(day).ok()?,
    ))
}

/// Unix milliseconds, in the one way to write them.
pub(crate) fn parse_time_ms(text: &str) -> Result<u64, &'static str> {
    let canonical =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    canonical
        .then(|| text.parse().ok())
        .flatten()
        .filter(|ms| *ms <= TIME_MS_MAX)
        .ok_or("must be Unix milliseconds, from 0 to 2^53 - 1, in digits")
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($field:literal, $kind:ident);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name of this field in errors.
            pub const FIELD: &'static str = $field;

            /// Checks and takes over a text.
            ///
            /// # Errors
            /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument), which names the field and
            /// never the text.
            pub fn parse(text: &str) -> Result<Self> {
                PartKind::$kind.parse(Self::FIELD, text)?;
                Ok(Self(text.into()))
            }

            /// The text, as it was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::error::Error;

            fn from_str(text: &str) -> Result<Self> {
                Self::parse(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = crate::error::Error;

            fn try_from(text: &str) -> Result<Self> {
                Self::parse(text)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )*};
}

ids! {
    /// A patient. Not `all`, which means everybody in `alerts:active`.
    PatientId("patient", Patient);
    /// A medical record: `Type/id`, as `Condition/123`.
    RecordId("record", Id);
    /// A diagnostic report.
    ReportId("report", Id);
    /// A doctor.
    DoctorId("doctor", Id);
    /// A department.
    DepartmentId("department", Id);
    /// A piece of equipment.
    EquipmentId("equipment", Id);
    /// A device that measures or reports.
    DeviceId("device", Id);
    /// The day of slots, as `2026-11-23`.
    SlotDate("date", Date);
    /// A slot.
    SlotId("slot", Id);
    /// An appointment.
    AppointmentId("appointment", Id);
    /// A queue.
    QueueId("queue", Id);
    /// An alert.
    AlertId("alert", Id);
    /// An image.
    ImageId("image", Id);
    /// An imaging study.
    StudyId("study", Id);
    /// An image's variant, as `thumbnail`.
    Variant("variant", Word);
    /// A kind of image processing.
    ProcessingType("type", Word);
    /// A query that names a list of patients.
    PatientQuery("query", Word);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_is_one_to_256_bytes_without_control_characters() {
        assert!(PatientId::parse(&"x".repeat(256)).is_ok());
        assert!(PatientId::parse(&"é".repeat(128)).is_ok());
        assert!(PatientId::parse("a:b%c/d 李").is_ok());
        for bad in [
            String::new(),
            "x".repeat(257),
            "é".repeat(129),
            "a\nb".into(),
            "a\0".into(),
            "\u{7f}".into(),
            "\u{85}".into(),
        ] {
            assert!(PatientId::parse(&bad).is_err());
        }
    }

    #[test]
    fn a_bad_id_is_named_by_its_field_and_never_shown() {
        let error = StudyId::parse("secret\u{1}").err();
        assert_eq!(error.as_ref().and_then(crate::Error::field), Some("study"));
        assert!(!format!("{error:?}").contains("secret"));
        let id = StudyId::parse("secret").ok();
        assert_eq!(format!("{id:?}"), "Some(StudyId)");
    }

    #[test]
    fn nobody_is_called_all() {
        assert!(PatientId::parse("all").is_err());
        assert!(PatientId::parse("All").is_ok());
    }

    #[test]
    fn a_date_is_one_that_the_calendar_has() {
        for good in ["2026-11-23", "2024-02-29", "2000-02-29", "0001-01-01"] {
            assert!(SlotDate::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "2026-02-29",
            "1900-02-29",
            "2026-04-31",
            "2026-13-01",
            "2026-00-10",
            "2026-01-00",
            "2026-1-1",
            "0000-01-01",
            "2026-11-23T00:00",
            "２026-11-2",
            "",
            "-026-11-23",
        ] {
            assert!(SlotDate::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_time_has_one_spelling() {
        assert_eq!(parse_time_ms("0"), Ok(0));
        assert_eq!(parse_time_ms("9007199254740991"), Ok(TIME_MS_MAX));
        for bad in [
            "",
            "00",
            "01",
            "+1",
            "-1",
            "1.0",
            "9007199254740992",
            "99999999999999999999999",
        ] {
            assert!(parse_time_ms(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused_without_a_panic(text in any::<String>()) {
            for kind in [
                PartKind::Id,
                PartKind::Patient,
                PartKind::PatientOrAll,
                PartKind::Date,
                PartKind::TimeMs,
                PartKind::Word,
            ] {
                let _ = kind.check(&text);
            }
        }

        #[test]
        fn a_date_is_accepted_exactly_when_the_calendar_agrees(
            year in 1..=9999_i32,
            month in 1..=12_i32,
            day in 1..=31_i32,
        ) {
            // Days since the epoch and back (Howard Hinnant's algorithms), as a second opinion.
            let y = if month <= 2 { year - 1 } else { year };
            let era = y.div_euclid(400);
            let yoe = y - era * 400;
            let doy = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
            let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
            let yoe2 = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
            let doy2 = doe - (365 * yoe2 + yoe2 / 4 - yoe2 / 100);
            let mp = (5 * doy2 + 2) / 153;
            let day2 = doy2 - (153 * mp + 2) / 5 + 1;
            let month2 = if mp < 10 { mp + 3 } else { mp - 9 };
            let text = format!("{year:04}-{month:02}-{day:02}");
            prop_assert_eq!(SlotDate::parse(&text).is_ok(), (month2, day2) == (month, day));
        }
    }
}
