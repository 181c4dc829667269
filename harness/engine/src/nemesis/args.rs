//! [`Args`]: a fault's arguments, read with their units. There are no fractions among values:
//! shares are written as `"0.5%"`, times as `"50ms"`, rates as `"10mbit"`.

use std::collections::BTreeMap;
use std::time::Duration;

use danso_vocab::Value;

/// Arguments by name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Args<'a>(pub(super) &'a BTreeMap<String, Value>);

impl<'a> Args<'a> {
    /// The value under `name`, unless it is absent or nil.
    pub(super) fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|v| !v.is_nil())
    }

    /// One of `words`.
    pub(super) fn word(
        self,
        name: &str,
        words: &[&'static str],
    ) -> Result<Option<&'static str>, String> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let word = words.iter().find(|w| value.str() == Some(w));
        let wrong = || format!("{name} = {value} is none of {}", words.join(", "));
        word.map(|w| Some(*w)).ok_or_else(wrong)
    }

    /// A truth value, false by default.
    pub(super) fn flag(self, name: &str) -> Result<bool, String> {
        let Some(value) = self.get(name) else { return Ok(false) };
        value.bool().ok_or_else(|| format!("{name} = {value} is neither true nor false"))
    }

    /// A time.
    pub(super) fn duration(self, name: &str) -> Result<Option<Duration>, String> {
        self.get(name).map(|v| duration(name, v)).transpose()
    }

    /// A share of things, as `"20%"`: 0 to 1.
    pub(super) fn share(self, name: &str) -> Result<Option<f64>, String> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let percent = value.str().and_then(|t| t.strip_suffix('%'));
        let share = percent.and_then(|p| p.trim().parse::<f64>().ok()).map(|p| p / 100.0);
        match share {
            Some(share) if (0.0..=1.0).contains(&share) => Ok(Some(share)),
            _ => Err(format!("{name} = {value} is no share: write \"20%\"")),
        }
    }

    /// A whole number from `low` to `high`.
    pub(super) fn number(self, name: &str, low: u64, high: u64) -> Result<Option<u64>, String> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = value.int().and_then(|i| u64::try_from(i).ok());
        match number.filter(|n| (low..=high).contains(n)) {
            Some(number) => Ok(Some(number)),
            None => Err(format!("{name} = {value} is no number from {low} to {high}")),
        }
    }

    /// Bits per second, as `"10mbit"`.
    pub(super) fn bits(self, name: &str) -> Result<Option<u64>, String> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let bits = value.str().and_then(|text| {
            let end = text.find(|c: char| !c.is_ascii_digit())?;
            let number: u64 = text[..end].parse().ok()?;
            let unit = match text[end..].trim() {
                "bit" => 1,
                "kbit" => 1_000,
                "mbit" => 1_000_000,
                "gbit" => 1_000_000_000,
                _ => return None,
            };
            number.checked_mul(unit).filter(|b| *b >= 1_000)
        });
        let wrong = || format!("{name} = {value} is no rate: write \"10mbit\" or \"64kbit\"");
        bits.map(Some).ok_or_else(wrong)
    }
}

/// A time written with its unit.
pub(super) fn duration(name: &str, value: &Value) -> Result<Duration, String> {
    let text = value.str().ok_or_else(|| format!("{name} = {value}: write \"5s\" or \"200ms\""))?;
    let parsed: jiff::SignedDuration =
        text.parse().map_err(|_| format!("{name} = `{text}`: write 5s, 200ms or 1m 30s"))?;
    Duration::try_from(parsed).map_err(|_| format!("{name} = `{text}` must not be negative"))
}

/// A time as arguments have it.
pub(super) fn time(time: Duration) -> Value {
    Value::Str(if time.subsec_nanos() == 0 {
        format!("{}s", time.as_secs())
    } else if time.subsec_micros() * 1_000 == time.subsec_nanos()
        && time.subsec_micros().is_multiple_of(1_000)
    {
        format!("{}ms", time.as_millis())
    } else {
        format!("{}ns", time.as_nanos())
    })
}

/// A share as arguments have it, in steps of a hundredth of a percent.
pub(super) fn percent(hundredths: u64) -> Value {
    let (whole, part) = (hundredths / 100, hundredths % 100);
    Value::Str(if part == 0 { format!("{whole}%") } else { format!("{whole}.{part:02}%") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_have_units_and_say_so() {
        let map: BTreeMap<String, Value> = [
            ("share", Value::from("12.5%")),
            ("rate", "64kbit".into()),
            ("time", "1m 30s".into()),
            ("flag", true.into()),
            ("n", 7.into()),
            ("word", "up".into()),
            ("nil", Value::Nil),
        ]
        .map(|(k, v)| (k.to_owned(), v))
        .into();
        let args = Args(&map);
        assert_eq!(args.share("share").unwrap(), Some(0.125));
        assert_eq!(args.bits("rate").unwrap(), Some(64_000));
        assert_eq!(args.duration("time").unwrap(), Some(Duration::from_secs(90)));
        assert_eq!(args.number("n", 1, 9).unwrap(), Some(7));
        assert_eq!(args.word("word", &["up", "down"]).unwrap(), Some("up"));
        assert!(args.flag("flag").unwrap() && !args.flag("none").unwrap());
        assert_eq!((args.share("nil").unwrap(), args.bits("none").unwrap()), (None, None));
        for (error, say) in [
            (args.share("n").unwrap_err(), "\"20%\""),
            (args.bits("time").unwrap_err(), "10mbit"),
            (args.duration("n").unwrap_err(), "200ms"),
            (args.number("n", 1, 6).unwrap_err(), "1 to 6"),
            (args.word("word", &["left"]).unwrap_err(), "left"),
            (args.flag("word").unwrap_err(), "neither"),
        ] {
            assert!(error.contains(say), "{error}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for time_of in
            [Duration::from_secs(3), Duration::from_millis(1500), Duration::from_nanos(7)]
        {
            assert_eq!(duration("x", &time(time_of)).unwrap(), time_of);
        }
        let map = BTreeMap::from([("s".to_owned(), percent(1_205))]);
        let share = Args(&map).share("s").unwrap().unwrap();
        assert!((share - 0.1205).abs() < 1e-12);
    }
}
