//! Unix seconds as RFC 3339 text, and from the text that HTTP uses
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

/// Seconds since the epoch for `2026-11-22T12:34:56Z`; a fraction of a second is dropped. `None` for anything else.
#[must_use]
pub fn from_rfc3339(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let time = time.split('.').next()?;
    let numbers = |text: &str, at: char| -> Option<[u64; 3]> {
        let mut parts =
            text.split(at).map(|part| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?);
        let three = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then_some(three)
    };
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 {
        return None;
    }
    let days = (year - 1970) * 365 + (year - 1969) / 4 - (year - 1901) / 100 + (year - 1601) / 400;
    let seconds = hour * 3_600 + minute * 60 + second;
    // The start of the year, then at most eleven steps to the date itself.
    let start = days + (month - 1) * 28 + day - 1;
    (start..start + 32).find(|days| civil(*days) == (year, month, day)).map(|days| days * 86_400 + seconds)
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

/// Seconds since the epoch for `Sun, 06 Nov 1994 08:49:37 GMT`, the one form of a date that HTTP lets a server send
/// (RFC 9110 5.6.7). `None` for anything else, and for what was before 1970.
#[must_use]
pub fn from_http(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, date) = text.trim().split_once(", ")?;
    let mut words = date.split(' ');
    let number = |text: Option<&str>, below: u64| text?.parse().ok().filter(|number: &u64| *number < below);
    let day = number(words.next(), 32)?;
    let month = words.next().and_then(|word| MONTHS.iter().position(|month| *month == word))?;
    let year = number(words.next(), 10_000)?;
    let mut clock = words.next()?.split(':');
    let (hour, minute) = (number(clock.next(), 24)?, number(clock.next(), 60)?);
    let second = number(clock.next(), 61)?; // a leap second
    if words.next() != Some("GMT") || words.next().is_some() || clock.next().is_some() || year < 1970 || day < 1 {
        return None;
    }
    // As in `civil`: years begin in March.
    let from_march = (month as u64 + 10) % 12;
    let year = if month < 2 { year - 1 } else { year };
    let of_era = (year % 400) * 365 + (year % 400) / 4 - (year % 400) / 100 + (153 * from_march + 2) / 5 + day - 1;
    Some(((year / 400 * 146_097 + of_era).checked_sub(719_468)? * 24 + hour) * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::{from_http, from_rfc3339, rfc3339};

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
            assert_eq!(from_rfc3339(text), Some(seconds.min(253_402_300_799)));
        }
        for days in 0..30_000 {
            let seconds = days * 86_400 + 86_399;
            assert_eq!(from_rfc3339(&rfc3339(seconds)), Some(seconds));
        }
        assert_eq!(from_rfc3339("2026-11-22T12:34:56.789Z"), Some(1_795_350_896));
        for odd in [
            "",
            "Z",
            "2026-11-22",
            "2026-02-30T00:00:00Z",
            "2026-11-22T12:34:56+01:00",
            "x-1-1T0:0:0Z",
            "-1-1-1T0:0:0Z",
        ] {
            assert_eq!(from_rfc3339(odd), None, "{odd}");
        }
    }

    #[test]
    fn dates_of_http() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Tue, 29 Feb 2000 00:00:00 GMT", Some(951_782_400)),
            ("Sun, 22 Nov 2026 12:34:56 GMT", Some(1_795_350_896)),
            ("Mon, 01 Mar 2100 00:00:00 GMT", Some(4_107_542_400)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Sun Nov  6 08:49:37 1994", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 06 Nov 1994 25:49:37 GMT", None),
            ("Wed, 31 Dec 1969 23:59:59 GMT", None),
            ("120", None),
            ("", None),
        ] {
            assert_eq!(from_http(text), seconds, "{text}");
        }
    }
}
