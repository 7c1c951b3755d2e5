//! Seconds since 1970 in, the date and the texts of it that the platform's events have out. UTC, no leap
//! seconds.

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const DAY: u64 = 86_400;
/// Days of 400, 100, 4 years and of one: after 400 years the calendar repeats.
const YEARS_400: u64 = 146_097;
const YEARS_100: u64 = 36_524;
const YEARS_4: u64 = 1_461;
const YEAR: u64 = 365;
/// Days from 1 March of the year 0 to 1 January 1970. A year that begins in March has its leap day last.
const FROM_MARCH: u64 = 719_468;
/// Days before each month of a year that begins in March.
const BEFORE_MONTH: [u64; 12] = [0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337];

pub struct Date {
    pub year: u64,
    /// 0 is January.
    pub month: usize,
    pub day: u64,
    pub hour: u64,
    pub minute: u64,
    pub second: u64,
}

impl Date {
    pub fn of(epoch_seconds: u64) -> Self {
        let days = epoch_seconds / DAY + FROM_MARCH;
        let (spans, days) = (days / YEARS_400, days % YEARS_400);
        // The last century of four and the last year of four are a day longer: `min` leaves them that day.
        let centuries = (days / YEARS_100).min(3);
        let days = days - centuries * YEARS_100;
        let (fours, days) = (days / YEARS_4, days % YEARS_4);
        let years = (days / YEAR).min(3);
        let day = days - years * YEAR;
        let month = BEFORE_MONTH.partition_point(|before| *before <= day) - 1;
        let january_or_february = month >= 10;
        let seconds = epoch_seconds % DAY;
        Self {
            year: spans * 400 + centuries * 100 + fours * 4 + years + u64::from(january_or_february),
            month: (month + 2) % 12,
            day: day - BEFORE_MONTH[month] + 1,
            hour: seconds / 3600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
        }
    }
}

/// As in access logs: `26/Dec/2019:14:22:07 +0000`.
pub fn clf(epoch_seconds: u64) -> String {
    let Date { year, month, day, hour, minute, second } = Date::of(epoch_seconds);
    format!("{day:02}/{}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000", MONTHS[month])
}

/// As in RFC 3339, with milliseconds: `2019-12-26T14:22:07.000Z`.
pub fn rfc3339(epoch_seconds: u64) -> String {
    let Date { year, month, day, hour, minute, second } = Date::of(epoch_seconds);
    format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z", month + 1)
}

/// As Go prints a time: `2019-12-26 14:22:07 +0000 UTC`.
pub fn spaced(epoch_seconds: u64) -> String {
    let Date { year, month, day, hour, minute, second } = Date::of(epoch_seconds);
    format!("{year:04}-{:02}-{day:02} {hour:02}:{minute:02}:{second:02} +0000 UTC", month + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_documented_sample() {
        assert_eq!(clf(1_577_370_127), "26/Dec/2019:14:22:07 +0000");
    }

    #[test]
    fn days_round_leap_days_and_ends_of_years() {
        for (epoch_seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (68_169_599, "1972-02-28T23:59:59.000Z"),
            (68_169_600, "1972-02-29T00:00:00.000Z"),
            (68_256_000, "1972-03-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (978_307_199, "2000-12-31T23:59:59.000Z"),
            (1_735_689_600, "2025-01-01T00:00:00.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000Z"),
        ] {
            assert_eq!(rfc3339(epoch_seconds), text);
        }
        assert_eq!(spaced(951_782_400), "2000-02-29 00:00:00 +0000 UTC");
    }

    proptest! {
        #[test]
        fn each_day_is_the_one_after_the_day_before(day in 1_u64..4_000_000) {
            let (before, after) = (Date::of((day - 1) * DAY), Date::of(day * DAY));
            let next_day = (before.year, before.month, before.day + 1) == (after.year, after.month, after.day);
            let next_month = (before.year, before.month + 1, 1) == (after.year, after.month, after.day);
            let next_year = before.year + 1 == after.year && before.month == 11 && after.month == 0
                && before.day == 31 && after.day == 1;
            prop_assert!(next_day || next_month || next_year);
            prop_assert!((1..=31).contains(&after.day));
        }

        #[test]
        fn no_time_is_too_late(epoch_seconds: u64) {
            prop_assert!(clf(epoch_seconds).ends_with(" +0000"));
        }
    }
}
