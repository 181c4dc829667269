//! The time a log line carries, in the ways programs commonly write it.

use jiff::Timestamp;
use jiff::civil::DateTime;

/// How far into a line a time is looked for, in bytes.
const FAR: usize = 160;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The first date with a time of day in a line: `2026-11-21T21:54:11.123Z`, `2026/11/21 21:54:11`,
/// `21 Nov 2026 21:54:11.123`. One that names no zone counts as UTC.
pub(super) fn of(line: &str) -> Option<Timestamp> {
    let bytes = line.as_bytes();
    let starts = (0..bytes.len().min(FAR))
        .filter(|i| bytes[*i].is_ascii_digit() && (*i == 0 || !bytes[*i - 1].is_ascii_digit()));
    starts.filter_map(|i| line.get(i..)).find_map(|rest| Reader(rest).timestamp())
}

/// What is left to read.
struct Reader<'t>(&'t str);

impl Reader<'_> {
    fn timestamp(&mut self) -> Option<Timestamp> {
        let (year, month, day) = self.date()?;
        self.one_of("T ")?;
        let hour = self.number(2)?;
        self.one_of(":")?;
        let minute = self.number(2)?;
        self.one_of(":")?;
        let second = self.number(2)?;
        let nanos = self.fraction();
        let small = |n: u32| i8::try_from(n).ok();
        let year = i16::try_from(year).ok()?;
        // A leap second is the last of its minute.
        let (hour, minute, second) = (small(hour)?, small(minute)?, small(second.min(59))?);
        let civil = DateTime::new(year, small(month)?, small(day)?, hour, minute, second, nanos);
        let offset = jiff::tz::Offset::from_seconds(self.offset()).ok()?;
        offset.to_timestamp(civil.ok()?).ok()
    }

    fn date(&mut self) -> Option<(u32, u32, u32)> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 4 {
            let year = self.number(4)?;
            let between = self.one_of("-/")?;
            let month = self.number(2)?;
            (self.one_of("-/")? == between).then_some(())?;
            return Some((year, month, self.number(2)?));
        }
        let day = self.number(digits.clamp(1, 2))?;
        self.one_of(" ")?;
        let name = self.0.get(..3)?;
        let month = MONTHS.iter().position(|month| *month == name)? as u32 + 1;
        self.0 = &self.0[3..];
        self.one_of(" ")?;
        Some((self.number(4)?, month, day))
    }

    fn number(&mut self, digits: usize) -> Option<u32> {
        let (own, rest) = self.0.split_at_checked(digits)?;
        let number = own.bytes().all(|b| b.is_ascii_digit()).then(|| own.parse().ok())??;
        self.0 = rest;
        Some(number)
    }

    fn one_of(&mut self, set: &str) -> Option<char> {
        let found = self.0.chars().next().filter(|c| set.contains(*c))?;
        self.0 = &self.0[found.len_utf8()..];
        Some(found)
    }

    /// Nanoseconds.
    fn fraction(&mut self) -> i32 {
        let Some(rest) = self.0.strip_prefix(['.', ',']) else { return 0 };
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let nanos = format!("{:0<9.9}", &rest[..digits]).parse().unwrap_or(0);
        self.0 = &rest[digits..];
        nanos
    }

    /// Seconds ahead of UTC.
    fn offset(&mut self) -> i32 {
        let mut read = || {
            let sign = if self.one_of("+-")? == '+' { 1 } else { -1 };
            let hours = self.number(2)?;
            let minutes = match self.one_of(":") {
                Some(_) => self.number(2)?,
                None => self.number(2).unwrap_or(0),
            };
            Some(sign * (hours * 3600 + minutes * 60) as i32)
        };
        read().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_programs_write_them() {
        let wanted: Timestamp = "2026-11-21T21:54:11.123Z".parse().unwrap();
        for line in [
            "2026-11-21T21:54:11.123Z INFO up",
            r#"{"level":"info","ts":"2026-11-21T21:54:11.123000Z","msg":"up"}"#,
            "2026-11-21 21:54:11,123 [myid:1] - INFO",
            "2026-11-21 21:54:11.123 UTC [812] LOG:  up",
            "2026-11-21 22:54:11.123000+01:00 [info] <0.9.0> up",
            "2026-11-21T16:54:11.123-0500 I up",
            "[812] 2026/11/21 21:54:11.123000 [INF] up",
            "12101:M 21 Nov 2026 21:54:11.123 * Ready",
        ] {
            assert_eq!(of(line), Some(wanted), "{line}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for line in [
            "",
            "became leader term=2026-11",
            "2026-13-41T21:54:11Z",
            "2026-11/21 21:54:11",
            "10.77.0.1:7400",
            "21 Nov",
            "é2026-11-21",
            "99999999999999999999",
        ] {
            assert_eq!(of(line), None, "{line}");
        }
    }
}
