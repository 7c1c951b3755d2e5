//! How often something failed and what the server asked for in, how long to wait before the next attempt out.

use std::time::{Duration, SystemTime};

/// The first wait; each one after it is twice as long.
const FIRST: Duration = Duration::from_millis(500);

/// How often a request is sent at most.
pub const ATTEMPTS: u32 = 5;

/// Whoever asks for more does not mean this run.
const LONGEST: Duration = Duration::from_secs(120);

/// The value of `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date.
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// The wait after the attempt of that number, from 1; none when it was the last.
pub fn wait(attempt: u32, asked: Option<Duration>) -> Option<Duration> {
    if attempt >= ATTEMPTS || asked.is_some_and(|asked| asked > LONGEST) {
        return None;
    }
    let own = FIRST * 2_u32.pow(attempt.saturating_sub(1));
    // The server's word counts, but it is not asked twice in a moment either.
    Some(asked.map_or(own, |asked| asked.max(FIRST / 5)))
}

/// The wait between two looks at an operation.
pub fn poll(look: u32) -> Duration {
    (FIRST * 2_u32.pow(look.min(4))).min(Duration::from_secs(5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_770);
        for (text, seconds) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(retry_after(text, now), seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn waits_double_and_end() {
        let waits: Vec<_> = (1..=ATTEMPTS).map_while(|attempt| wait(attempt, None)).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000].map(Duration::from_millis));
        assert_eq!(wait(1, Some(Duration::from_secs(3))), Some(Duration::from_secs(3)));
        assert_eq!(wait(1, Some(Duration::from_secs(3600))), None);
        assert!(wait(1, Some(Duration::ZERO)) > Some(Duration::ZERO));
        assert_eq!(poll(u32::MAX), Duration::from_secs(5));
    }
}
