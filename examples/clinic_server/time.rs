//! Wall time as FHIR writes it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, as a FHIR `instant` with milliseconds.
pub(crate) fn now() -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    instant(since.as_secs(), since.subsec_millis())
}

/// Seconds since 1970 as `2026-11-24T20:15:00.000Z`.
fn instant(seconds: u64, millis: u32) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Civil date from a day count, in eras of 400 years that start on 1 March (Howard Hinnant's
    // algorithm): leap days fall at the end of a year and need no special case.
    let day = days + 719_468;
    let (era, day_of_era) = (day / 146_097, day % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let date = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
mod tests {
    use super::instant;

    #[test]
    fn an_instant_is_written_in_utc_with_milliseconds() {
        assert_eq!(instant(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(instant(951_782_399, 7), "2000-02-28T23:59:59.007Z");
        assert_eq!(instant(951_782_400, 0), "2000-02-29T00:00:00.000Z");
        assert_eq!(instant(1_798_761_599, 999), "2026-12-31T23:59:59.999Z");
    }
}
