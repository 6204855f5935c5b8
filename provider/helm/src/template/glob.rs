//! Patterns over paths: `*`, `?`, `[…]`, `{a,b}`, and `**` across folders.

use regex::Regex;

/// A pattern.
#[derive(Debug)]
pub struct Glob(Regex);

impl Glob {
    /// Reads a pattern in which `*` stops at slashes; `None` where it is malformed.
    pub fn new(pattern: &str) -> Option<Glob> {
        let mut out = String::from("(?s)^");
        let mut chars = pattern.chars().peekable();
        let mut braces = 0;
        while let Some(c) = chars.next() {
            match c {
                '*' if chars.peek() == Some(&'*') => {
                    chars.next();
                    out.push_str(".*");
                }
                '*' => out.push_str("[^/]*"),
                '?' => out.push_str("[^/]"),
                '{' => {
                    braces += 1;
                    out.push_str("(?:");
                }
                '}' if braces > 0 => {
                    braces -= 1;
                    out.push(')');
                }
                ',' if braces > 0 => out.push('|'),
                '[' => {
                    out.push('[');
                    if matches!(chars.peek(), Some('!' | '^')) {
                        chars.next();
                        out.push('^');
                    }
                    loop {
                        match chars.next()? {
                            ']' => break,
                            '\\' => {
                                out.push('\\');
                                out.push(chars.next()?);
                            }
                            c @ ('[' | '&' | '~') => {
                                out.push('\\');
                                out.push(c);
                            }
                            c => out.push(c),
                        }
                    }
                    out.push(']');
                }
                '\\' => out.push_str(&regex::escape(&chars.next()?.to_string())),
                c => out.push_str(&regex::escape(&c.to_string())),
            }
        }
        if braces > 0 {
            return None;
        }
        out.push('$');
        Regex::new(&out).ok().map(Glob)
    }
    /// Whether a path fits.
    pub fn matches(&self, path: &str) -> bool {
        self.0.is_match(path)
    }
}
