//! The exercise provider as it is: it keeps every rule.

mod exercise;

fn main() -> std::process::ExitCode {
    framework::serve(exercise::ABOUT, exercise::Exercise)
}
