//! The `timeouts` block that resources share, and Go's durations.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::Model;
use crate::attr::Attr;

/// A duration as Go writes it: `1h30m`, `45s`, `1.5h`, `300ms`. The text stays as it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration {
    duration: Duration,
    text: String,
}

impl GoDuration {
    /// How long it is.
    pub fn duration(&self) -> Duration {
        self.duration
    }
}

/// The text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("numbers with units `h`, `m`, `s`, `ms`, `us`, `ns` are expected")]
pub struct NotADuration;

impl FromStr for GoDuration {
    type Err = NotADuration;

    fn from_str(text: &str) -> Result<Self, NotADuration> {
        let mut rest = text.strip_prefix('+').unwrap_or(text);
        if rest == "0" {
            return Ok(Self {
                duration: Duration::ZERO,
                text: text.to_owned(),
            });
        }
        if rest.is_empty() {
            return Err(NotADuration);
        }
        let mut nanos: u128 = 0;
        while !rest.is_empty() {
            let end = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .ok_or(NotADuration)?;
            let (number, tail) = rest.split_at(end);
            let units = [
                ("ns", 1),
                ("us", 1000),
                ("µs", 1000),
                ("ms", 1_000_000),
                ("s", 1_000_000_000),
            ];
            let long = [("m", 60_000_000_000), ("h", 3_600_000_000_000_u128)];
            let (unit, size) = units
                .into_iter()
                .chain(long)
                .find(|(unit, _)| tail.starts_with(unit))
                .ok_or(NotADuration)?;
            let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
            if (whole.is_empty() && fraction.is_empty())
                || fraction.contains('.')
                || whole.len() > 18
                || fraction.len() > 15
            {
                return Err(NotADuration);
            }
            let read = |digits: &str| {
                if digits.is_empty() {
                    Ok(0)
                } else {
                    digits.parse::<u128>().map_err(|_| NotADuration)
                }
            };
            nanos += read(whole)? * size + read(fraction)? * size / 10_u128.pow(fraction.len() as u32);
            rest = &tail[unit.len()..];
        }
        let nanos = u64::try_from(nanos).map_err(|_| NotADuration)?;
        Ok(Self {
            duration: Duration::from_nanos(nanos),
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

crate::text_attribute!(GoDuration, "a duration, for example `30m` or `1h30m`");

/// How long operations may take. Use as `#[block] timeouts: Attr<Timeouts>`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Model)]
pub struct Timeouts {
    /// How long creating may take, for example `30m` or `1h30m`.
    #[attribute(optional, validate(with(some_time)))]
    pub create: Attr<GoDuration>,
    /// How long a refresh or a plan may take.
    #[attribute(optional, validate(with(some_time)))]
    pub read: Attr<GoDuration>,
    /// How long updating may take.
    #[attribute(optional, validate(with(some_time)))]
    pub update: Attr<GoDuration>,
    /// How long deleting may take. Only what is in the state counts: change it and apply before you destroy.
    #[attribute(optional, validate(with(some_time)))]
    pub delete: Attr<GoDuration>,
}

fn some_time(duration: &GoDuration) -> Result<(), String> {
    if duration.duration().is_zero() {
        return Err("An operation needs some time; leave the argument out for the default.".to_owned());
    }
    Ok(())
}

impl Attr<Timeouts> {
    /// The time for creating, or the resource's default.
    pub fn create(&self, default: Duration) -> Duration {
        self.pick(|t| &t.create, default)
    }

    /// The time for reading and planning, or the resource's default.
    pub fn read(&self, default: Duration) -> Duration {
        self.pick(|t| &t.read, default)
    }

    /// The time for updating, or the resource's default.
    pub fn update(&self, default: Duration) -> Duration {
        self.pick(|t| &t.update, default)
    }

    /// The time for deleting, or the resource's default.
    pub fn delete(&self, default: Duration) -> Duration {
        self.pick(|t| &t.delete, default)
    }

    fn pick(&self, which: impl Fn(&Timeouts) -> &Attr<GoDuration>, default: Duration) -> Duration {
        self.known()
            .and_then(|t| which(t).known())
            .map_or(default, GoDuration::duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_read() {
        for (text, millis) in [
            ("0", 0),
            ("30m", 1_800_000),
            ("1h30m", 5_400_000),
            ("1.5h", 5_400_000),
            ("300ms", 300),
            ("1h0m0.5s", 3_600_500),
            (".5s", 500),
        ] {
            assert_eq!(
                text.parse::<GoDuration>().unwrap().duration(),
                Duration::from_millis(millis),
                "{text}"
            );
        }
        for text in ["", "5", "m", "1x", "-1s", "1h 30m", "1..5s", "99999999999999h"] {
            assert!(
                text.parse::<GoDuration>().is_err(),
                "{text:?} was taken for a duration"
            );
        }
    }

    #[test]
    fn text_stays_as_written() {
        assert_eq!("90m".parse::<GoDuration>().unwrap().to_string(), "90m");
    }

    #[test]
    fn what_is_not_set_is_the_default() {
        let hour = Duration::from_secs(3600);
        let set = Attr::Known(Timeouts {
            create: Attr::Known("5m".parse().unwrap()),
            ..Timeouts::default()
        });
        assert_eq!(set.create(hour), Duration::from_secs(300));
        assert_eq!(set.delete(hour), hour);
        assert_eq!(Attr::<Timeouts>::Null.create(hour), hour);
    }
}
