//! Unix seconds as RFC 3339 text
//!
//! in UTC and whole seconds, which is what kubectl, bazel and AWS read (a fraction fails in bazel).

/// `2026-11-22T12:34:56Z` for seconds since the epoch; years past 9999 are held at 9999-12-31T23:59:59Z,
/// because RFC 3339 has four digits.
#[must_use]
pub fn rfc3339(seconds: u64) -> String {
    const LAST: u64 = 253_402_300_799; // 9999-12-31T23:59:59Z
    let seconds = seconds.min(LAST);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Days since 1970-01-01 as a date of the Gregorian calendar.
///
/// Years are counted from 1 March, so that the leap day is the last of its year and
/// the month lengths follow the pattern 153 days per five months.
fn civil(days: u64) -> (u64, u64, u64) {
    const TO_YEAR_0: u64 = 719_468; // from 0000-03-01 to 1970-01-01
    const ERA: u64 = 146_097; // days in 400 years
    let day = days + TO_YEAR_0;
    let (era, of_era) = (day / ERA, day % ERA);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn known_moments() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (2_147_483_648, "2038-01-19T03:14:08Z"),
            (1_795_350_896, "2026-11-22T12:34:56Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (u64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
        }
    }
}
