//! What does not fit, and how helm prints it: a tree of causes.

use std::fmt::Write as _;

use super::scalars::quoted;

/// Something that does not fit.
pub(super) struct Problem {
    /// JSON pointer of the value.
    at: String,
    what: What,
    causes: Vec<Problem>,
}

enum What {
    Said(String),
    /// Several keywords of one schema.
    Group,
    /// What a reference leads to. With one cause, only that is printed.
    Reference,
}

impl Problem {
    pub(super) fn new(at: String, said: impl Into<String>, causes: Vec<Problem>) -> Self {
        let what = What::Said(said.into());
        Problem { at, what, causes }
    }

    pub(super) fn reference(at: String, cause: Problem) -> Self {
        Problem {
            at,
            what: What::Reference,
            causes: cause.parts(),
        }
    }

    /// What several keywords of one schema found.
    pub(super) fn group(at: String, found: Vec<Problem>) -> Self {
        let what = What::Group;
        Problem {
            at,
            what,
            causes: found,
        }
    }

    /// The problems of a group, without the group.
    pub(super) fn parts(self) -> Vec<Problem> {
        match self.what {
            What::Group => self.causes,
            _ => vec![self],
        }
    }

    /// A line for it and for each of its causes, each with a line end before.
    pub(super) fn print(&self, out: &mut String, depth: usize) {
        let silent = matches!(self.what, What::Reference) && self.causes.len() == 1;
        if !silent {
            let said = match &self.what {
                What::Said(said) => said,
                What::Group | What::Reference => "validation failed",
            };
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', 2 * depth));
            let _ = write!(out, "- at {}: {said}", quoted(&self.at));
        }
        for cause in &self.causes {
            crate::value::deeper(|| cause.print(out, depth + usize::from(!silent)));
        }
    }
}
