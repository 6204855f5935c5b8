//! Times and durations as Go formats and reads them. Zones are limited to UTC and fixed offsets.

use std::fmt;

/// Names of the months.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// Names of the days of the week.
pub const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// Nanoseconds in a second.
const SECOND: i128 = 1_000_000_000;
/// Go's zero time, the first of January of the year 1.
const ZERO: i128 = -62_135_596_800 * SECOND;

/// A moment, with the zone it is shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// Nanoseconds since 1970.
    pub nanos: i128,
    /// Offset of the zone from UTC, in seconds.
    pub offset: i32,
    /// Whether the zone is UTC by name; else it is "Local" or a number.
    pub utc: bool,
}

impl Default for Time {
    fn default() -> Self {
        Time {
            nanos: ZERO,
            offset: 0,
            utc: true,
        }
    }
}

/// A moment taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Civil {
    /// Year.
    pub year: i64,
    /// Month from 1.
    pub month: u32,
    /// Day of the month from 1.
    pub day: u32,
    /// Hour.
    pub hour: u32,
    /// Minute.
    pub minute: u32,
    /// Second.
    pub second: u32,
    /// Nanosecond.
    pub nano: u32,
    /// Day of the week, Sunday is 0.
    pub weekday: u32,
    /// Day of the year from 1.
    pub year_day: u32,
}

/// Days since 1970 of a date in the proleptic Gregorian calendar.
fn days(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let shifted = i64::from((month + 9) % 12);
    let of_year = (153 * shifted + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

impl Time {
    /// A moment in UTC.
    pub fn utc(nanos: i128) -> Self {
        Time {
            nanos,
            offset: 0,
            utc: true,
        }
    }
    /// The same moment in a zone of the IANA database, and the zone's abbreviation then. `None` for what it does not know.
    pub fn in_zone(&self, name: &str) -> Option<(Self, String)> {
        let zone = jiff::tz::TimeZone::get(name).ok()?;
        let moment = jiff::Timestamp::from_second(self.unix()).ok()?;
        let info = zone.to_offset_info(moment);
        let offset = info.offset().seconds();
        let time = Time {
            offset,
            utc: false,
            ..*self
        };
        Some((time, info.abbreviation().to_owned()))
    }
    /// Seconds since 1970.
    pub fn unix(&self) -> i64 {
        i64::try_from(self.nanos.div_euclid(SECOND)).unwrap_or(0)
    }
    /// Whether it is Go's zero time.
    pub fn is_zero(&self) -> bool {
        self.nanos == ZERO
    }
    /// Taken apart.
    pub fn civil(&self) -> Civil {
        let local = self.nanos + i128::from(self.offset) * SECOND;
        let seconds = i64::try_from(local.div_euclid(SECOND)).unwrap_or(0);
        let nano = u32::try_from(local.rem_euclid(SECOND)).unwrap_or(0);
        let day_count = seconds.div_euclid(86_400);
        let of_day = u32::try_from(seconds.rem_euclid(86_400)).unwrap_or(0);
        let shifted = day_count + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_shifted = (5 * of_year + 2) / 153;
        let day = u32::try_from(of_year - (153 * month_shifted + 2) / 5 + 1).unwrap_or(1);
        let month = u32::try_from(if month_shifted < 10 {
            month_shifted + 3
        } else {
            month_shifted - 9
        })
        .unwrap_or(1);
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Civil {
            year,
            month,
            day,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            nano,
            weekday: u32::try_from((day_count + 4).rem_euclid(7)).unwrap_or(0),
            year_day: u32::try_from(day_count - days(year, 1, 1) + 1).unwrap_or(1),
        }
    }
    /// RFC 3339 with nanoseconds where there are any.
    pub fn rfc3339(&self) -> String {
        self.format("2006-01-02T15:04:05.999999999Z07:00")
    }
    fn zone(&self) -> String {
        if self.offset == 0 {
            "UTC".into()
        } else {
            offset_text(self.offset, true, false)
        }
    }
    /// Go's layout language.
    pub fn format(&self, layout: &str) -> String {
        self.format_in(layout, &self.zone())
    }
    /// Go's layout language, with a name for the zone of the offset.
    pub fn format_in(&self, layout: &str, zone: &str) -> String {
        let c = self.civil();
        let mut out = String::new();
        let mut rest = layout;
        while !rest.is_empty() {
            let Some((before, token, after)) = next_token(rest) else {
                out.push_str(rest);
                break;
            };
            out.push_str(before);
            rest = after;
            let hour12 = if c.hour.is_multiple_of(12) {
                12
            } else {
                c.hour % 12
            };
            let month = MONTHS[(c.month as usize + 11) % 12];
            let day = DAYS[c.weekday as usize % 7];
            match token {
                "January" => out.push_str(month),
                "Jan" => out.push_str(&month[..3]),
                "1" => out.push_str(&c.month.to_string()),
                "01" => out.push_str(&format!("{:02}", c.month)),
                "Monday" => out.push_str(day),
                "Mon" => out.push_str(&day[..3]),
                "2" => out.push_str(&c.day.to_string()),
                "_2" => out.push_str(&format!("{:2}", c.day)),
                "02" => out.push_str(&format!("{:02}", c.day)),
                "__2" => out.push_str(&format!("{:3}", c.year_day)),
                "002" => out.push_str(&format!("{:03}", c.year_day)),
                "15" => out.push_str(&format!("{:02}", c.hour)),
                "3" => out.push_str(&hour12.to_string()),
                "03" => out.push_str(&format!("{hour12:02}")),
                "4" => out.push_str(&c.minute.to_string()),
                "04" => out.push_str(&format!("{:02}", c.minute)),
                "5" => out.push_str(&c.second.to_string()),
                "05" => out.push_str(&format!("{:02}", c.second)),
                "2006" => out.push_str(&format!("{:04}", c.year)),
                "06" => out.push_str(&format!("{:02}", c.year.rem_euclid(100))),
                "PM" => out.push_str(if c.hour >= 12 { "PM" } else { "AM" }),
                "pm" => out.push_str(if c.hour >= 12 { "pm" } else { "am" }),
                "MST" => out.push_str(zone),
                "Z0700" | "Z07:00" | "Z07" if self.offset == 0 => out.push('Z'),
                "-0700" | "Z0700" => out.push_str(&offset_text(self.offset, true, false)),
                "-07:00" | "Z07:00" => out.push_str(&offset_text(self.offset, true, true)),
                "-07" | "Z07" => out.push_str(&offset_text(self.offset, false, false)),
                fraction => {
                    let digits = format!("{:09}", c.nano);
                    let digits = &digits[..(fraction.len() - 1).min(9)];
                    if fraction.ends_with('9') {
                        let trimmed = digits.trim_end_matches('0');
                        if !trimmed.is_empty() {
                            out.push_str(&fraction[..1]);
                            out.push_str(trimmed);
                        }
                    } else {
                        out.push_str(&fraction[..1]);
                        out.push_str(digits);
                    }
                }
            }
        }
        out
    }
    /// Reads a text by a layout.
    ///
    /// # Errors
    /// Go's message.
    pub fn parse(layout: &str, value: &str) -> Result<Time, String> {
        let fail = |element: &str, rest: &str| {
            format!(
                "parsing time {} as {}: cannot parse {} as {}",
                crate::value::gofmt::quote(value),
                crate::value::gofmt::quote(layout),
                crate::value::gofmt::quote(rest),
                crate::value::gofmt::quote(element)
            )
        };
        let (mut year, mut month, mut day, mut hour, mut minute, mut second, mut nano) =
            (0i64, 1u32, 1u32, 0u32, 0, 0, 0u32);
        let (mut pm, mut offset, mut year_day) = (None, None, None);
        let mut utc = false;
        let mut rest = value;
        let mut pattern = layout;
        loop {
            let (before, token, after) = next_token(pattern).unwrap_or((pattern, "", ""));
            rest = skip(rest, before).ok_or_else(|| fail(before, rest))?;
            if token.is_empty() {
                if !rest.is_empty() {
                    return Err(format!(
                        "parsing time {}: extra text: {}",
                        crate::value::gofmt::quote(value),
                        crate::value::gofmt::quote(rest)
                    ));
                }
                break;
            }
            pattern = after;
            let mut digits = |least: usize, most: usize| -> Result<u32, String> {
                let length = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
                if length < least {
                    return Err(fail(token, rest));
                }
                let number = rest[..length].parse().map_err(|_| fail(token, rest))?;
                rest = &rest[length..];
                Ok(number)
            };
            match token {
                "2006" => year = i64::from(digits(4, 4)?),
                "06" => {
                    let short = i64::from(digits(2, 2)?);
                    year = if short >= 69 { 1900 + short } else { 2000 + short };
                }
                "01" => month = digits(2, 2)?,
                "1" => month = digits(1, 2)?,
                "02" => day = digits(2, 2)?,
                "2" => day = digits(1, 2)?,
                "_2" => {
                    rest = rest.strip_prefix(' ').unwrap_or(rest);
                    let length = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
                    day = rest[..length].parse().map_err(|_| fail(token, rest))?;
                    rest = &rest[length..];
                }
                "002" => year_day = Some(digits(3, 3)?),
                "03" => hour = digits(2, 2)?,
                "3" | "15" => hour = digits(1, 2)?,
                "04" => minute = digits(2, 2)?,
                "4" => minute = digits(1, 2)?,
                "05" | "5" => {
                    second = digits(if token == "05" { 2 } else { 1 }, 2)?;
                    // A fraction may follow although the layout has none.
                    let follows = next_token(pattern)
                        .is_some_and(|(b, t, _)| b.is_empty() && t.starts_with(['.', ',']));
                    if !follows
                        && rest.starts_with(['.', ','])
                        && rest[1..].starts_with(|c: char| c.is_ascii_digit())
                    {
                        let length = rest[1..].bytes().take_while(u8::is_ascii_digit).count();
                        nano = fraction(&rest[1..=length]);
                        rest = &rest[1 + length..];
                    }
                }
                "January" | "Jan" | "Monday" | "Mon" => {
                    let names: &[&str] = if token.starts_with('J') { &MONTHS } else { &DAYS };
                    let short = token.len() == 3;
                    let found = names.iter().position(|n| {
                        let name = if short { &n[..3] } else { n };
                        rest.get(..name.len())
                            .is_some_and(|r| r.eq_ignore_ascii_case(name))
                    });
                    let index = found.ok_or_else(|| fail(token, rest))?;
                    rest = &rest[if short { 3 } else { names[index].len() }..];
                    if token.starts_with('J') {
                        month = index as u32 + 1;
                    }
                }
                "PM" | "pm" => {
                    let half = rest.get(..2).ok_or_else(|| fail(token, rest))?;
                    pm = Some(match half {
                        "PM" | "pm" => true,
                        "AM" | "am" => false,
                        _ => return Err(fail(token, rest)),
                    });
                    rest = &rest[2..];
                }
                "MST" => {
                    let length = rest.bytes().take(5).take_while(u8::is_ascii_uppercase).count();
                    if length < 3 {
                        return Err(fail(token, rest));
                    }
                    rest = &rest[length..];
                    offset.get_or_insert(0);
                }
                zone if zone.starts_with(['-', 'Z']) => {
                    if zone.starts_with('Z') && rest.starts_with('Z') {
                        rest = &rest[1..];
                        offset = Some(0);
                        utc = true;
                    } else {
                        let colon = zone.contains(':');
                        let length = if zone.len() == 3 {
                            3
                        } else if colon {
                            6
                        } else {
                            5
                        };
                        let text = rest.get(..length).ok_or_else(|| fail(zone, rest))?;
                        let sign = match text.as_bytes()[0] {
                            b'+' => 1,
                            b'-' => -1,
                            _ => return Err(fail(zone, rest)),
                        };
                        let plain = text[1..].replace(':', "");
                        let hours: i32 = plain[..2].parse().map_err(|_| fail(zone, rest))?;
                        let minutes: i32 = plain
                            .get(2..4)
                            .map_or(Ok(0), str::parse)
                            .map_err(|_| fail(zone, rest))?;
                        offset = Some(sign * (hours * 3600 + minutes * 60));
                        rest = &rest[length..];
                    }
                }
                fraction_token => {
                    let optional = fraction_token.ends_with('9');
                    let follows =
                        rest.starts_with(['.', ',']) && rest[1..].starts_with(|c: char| c.is_ascii_digit());
                    if !follows {
                        if optional {
                            continue;
                        }
                        return Err(fail(fraction_token, rest));
                    }
                    let length = rest[1..].bytes().take_while(u8::is_ascii_digit).count();
                    nano = fraction(&rest[1..=length]);
                    rest = &rest[1 + length..];
                }
            }
        }
        let range = |name: &str| {
            Err(format!(
                "parsing time {}: {name} out of range",
                crate::value::gofmt::quote(value)
            ))
        };
        if !(1..=12).contains(&month) {
            return range("month");
        }
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = match month {
            2 => 28 + u32::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        if day < 1 || day > length {
            return range("day");
        }
        match pm {
            Some(true) if hour < 12 => hour += 12,
            Some(false) if hour == 12 => hour = 0,
            _ => {}
        }
        if hour > 23 {
            return range("hour");
        }
        if minute > 59 {
            return range("minute");
        }
        if second > 59 {
            return range("second");
        }
        let date = match year_day {
            Some(n) => days(year, 1, 1) + i64::from(n) - 1,
            None => days(year, month, day),
        };
        let seconds = date * 86_400 + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
        let offset = offset.unwrap_or(0);
        let nanos = (i128::from(seconds) - i128::from(offset)) * SECOND + i128::from(nano);
        Ok(Time { nanos, offset, utc })
    }
    /// Years, months and days later; days beyond a month's end run over into the next.
    pub fn add_date(&self, years: i64, months: i64, days_more: i64) -> Time {
        let c = self.civil();
        let month = i64::from(c.month) - 1 + months % 12;
        let year = c.year.wrapping_add(years).wrapping_add(months / 12) + month.div_euclid(12);
        // Far beyond any calendar, but within what can be counted.
        let year = year.clamp(-1_000_000_000, 1_000_000_000);
        let date = days(year, month.rem_euclid(12) as u32 + 1, 1) - 1 + i64::from(c.day);
        let local = self.nanos + i128::from(self.offset) * SECOND;
        let of_day = local.rem_euclid(86_400 * SECOND);
        let date = i128::from(date) + i128::from(days_more.clamp(-1_000_000_000_000, 1_000_000_000_000));
        Time {
            nanos: date * 86_400 * SECOND + of_day - i128::from(self.offset) * SECOND,
            ..*self
        }
    }
    /// Down to a multiple of a duration since Go's zero time; the time itself where there is no such.
    pub fn truncate(&self, nanos: i64) -> Time {
        let nanos = i128::from(nanos);
        if nanos <= 0 {
            return *self;
        }
        Time {
            nanos: self.nanos - (self.nanos - ZERO).rem_euclid(nanos),
            ..*self
        }
    }
    /// To the nearest multiple, halves up.
    pub fn round(&self, nanos: i64) -> Time {
        let down = self.truncate(nanos);
        let rest = self.nanos - down.nanos;
        if nanos <= 0 || rest * 2 < i128::from(nanos) {
            return down;
        }
        Time {
            nanos: down.nanos + i128::from(nanos),
            ..*self
        }
    }
    /// `time.Time.GoString`
    pub fn go_string(&self) -> String {
        let c = self.civil();
        let zone = match (self.utc, self.offset) {
            (true, _) => "time.UTC",
            (_, 0) => "time.Local",
            _ => "time.Location(\"\")",
        };
        format!(
            "time.Date({}, time.{}, {}, {}, {}, {}, {}, {zone})",
            c.year,
            MONTHS[(c.month as usize + 11) % 12],
            c.day,
            c.hour,
            c.minute,
            c.second,
            c.nano
        )
    }
    /// `time.Time.MarshalBinary`: version, seconds since Go's zero time, nanoseconds, minutes of the zone.
    pub fn binary(&self) -> Vec<u8> {
        let since = self.nanos - ZERO;
        let zone = if self.utc { -1 } else { (self.offset / 60) as i16 };
        let mut out = vec![1];
        out.extend((since.div_euclid(SECOND) as i64).to_be_bytes());
        out.extend((since.rem_euclid(SECOND) as i32).to_be_bytes());
        out.extend(zone.to_be_bytes());
        out
    }
}

fn fraction(digits: &str) -> u32 {
    let mut text: String = digits.chars().take(9).collect();
    while text.len() < 9 {
        text.push('0');
    }
    text.parse().unwrap_or(0)
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format("2006-01-02 15:04:05.999999999 -0700 MST"))
    }
}

fn offset_text(offset: i32, minutes: bool, colon: bool) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    let total = offset.abs() / 60;
    let mut out = format!("{sign}{:02}", total / 60);
    if minutes || total % 60 != 0 {
        if colon {
            out.push(':');
        }
        out.push_str(&format!("{:02}", total % 60));
    }
    out
}

/// The next element of a layout: what stands before it, the element, the rest.
fn next_token(layout: &str) -> Option<(&str, &str, &str)> {
    const TOKENS: [&str; 31] = [
        "January", "Jan", "Monday", "Mon", "MST", "2006", "002", "__2", "_2006", "_2", "01", "02", "03",
        "04", "05", "06", "15", "PM", "pm", "-07:00", "-0700", "-07", "Z07:00", "Z0700", "Z07", "1", "2",
        "3", "4", "5", "0",
    ];
    for (at, _) in layout.char_indices() {
        let rest = &layout[at..];
        let bytes = rest.as_bytes();
        if matches!(bytes[0], b'.' | b',') && matches!(bytes.get(1), Some(b'0' | b'9')) {
            let run = bytes[1..].iter().take_while(|b| **b == bytes[1]).count();
            if !bytes.get(1 + run).is_some_and(u8::is_ascii_digit) {
                return Some((&layout[..at], &rest[..=run], &rest[run + 1..]));
            }
        }
        for token in TOKENS {
            if token == "0" || !rest.starts_with(token) {
                continue;
            }
            if token == "_2006" {
                return Some((&layout[..=at], &rest[1..5], &rest[5..]));
            }
            if token == "Jan" && rest.as_bytes().get(3).is_some_and(u8::is_ascii_lowercase)
                || token == "Mon" && rest.as_bytes().get(3).is_some_and(u8::is_ascii_lowercase)
            {
                continue;
            }
            return Some((&layout[..at], &rest[..token.len()], &rest[token.len()..]));
        }
    }
    None
}

/// `time.Duration.String`.
pub fn duration_text(nanos: i64) -> String {
    if nanos == 0 {
        return "0s".into();
    }
    let sign = if nanos < 0 { "-" } else { "" };
    let n = nanos.unsigned_abs();
    let scaled = |unit: u64, name: &str| {
        let text = format!(
            "{}.{:0width$}",
            n / unit,
            n % unit,
            width = unit.ilog10() as usize
        );
        format!("{sign}{}{name}", text.trim_end_matches('0').trim_end_matches('.'))
    };
    match n {
        n if n < 1_000 => format!("{sign}{n}ns"),
        n if n < 1_000_000 => scaled(1_000, "µs"),
        n if n < 1_000_000_000 => scaled(1_000_000, "ms"),
        _ => {
            let total = n / 1_000_000_000;
            let fraction = format!("{:09}", n % 1_000_000_000);
            let fraction = fraction.trim_end_matches('0');
            let seconds = if fraction.is_empty() {
                format!("{}s", total % 60)
            } else {
                format!("{}.{fraction}s", total % 60)
            };
            match (total / 3600, total / 60 % 60) {
                (0, 0) => format!("{sign}{seconds}"),
                (0, minutes) => format!("{sign}{minutes}m{seconds}"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}"),
            }
        }
    }
}

/// What follows the literal text of a layout. A blank in it stands for any number of them.
fn skip<'v>(mut value: &'v str, mut literal: &str) -> Option<&'v str> {
    while let Some(c) = literal.chars().next() {
        if c == ' ' {
            if !value.is_empty() && !value.starts_with(' ') {
                return None;
            }
            (literal, value) = (literal.trim_start_matches(' '), value.trim_start_matches(' '));
        } else {
            value = value.strip_prefix(c)?;
            literal = &literal[c.len_utf8()..];
        }
    }
    Some(value)
}

/// `time.ParseDuration`, in nanoseconds.
///
/// # Errors
/// Go's message.
pub fn parse_duration(source: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", crate::value::gofmt::quote(source));
    let (sign, mut rest) = match source.as_bytes().first() {
        Some(b'-') => (-1, &source[1..]),
        Some(b'+') => (1, &source[1..]),
        _ => (1, source),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0i128;
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && part.is_empty() || part.contains('.') {
            return Err(invalid());
        }
        let unit_end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let scale: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => SECOND,
            "m" => 60 * SECOND,
            "h" => 3600 * SECOND,
            "" => {
                return Err(format!(
                    "time: missing unit in duration {}",
                    crate::value::gofmt::quote(source)
                ));
            }
            unit => {
                return Err(format!(
                    "time: unknown unit {} in duration {}",
                    crate::value::gofmt::quote(unit),
                    crate::value::gofmt::quote(source)
                ));
            }
        };
        let whole: i128 = if whole.is_empty() {
            0
        } else {
            whole.parse().map_err(|_| invalid())?
        };
        total += whole.checked_mul(scale).ok_or_else(invalid)?;
        if !part.is_empty() {
            let digits: i128 = part
                .chars()
                .take(18)
                .collect::<String>()
                .parse()
                .map_err(|_| invalid())?;
            total += digits * scale / 10i128.pow(part.len().min(18) as u32);
        }
        if total > i128::from(i64::MAX) {
            return Err(invalid());
        }
        rest = next;
    }
    i64::try_from(total * sign).map_err(|_| invalid())
}
