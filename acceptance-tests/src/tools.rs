//! Where the programs are.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of this crate.
pub(crate) fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program of a tool of `tools/tools.py` (which lists them), made first where it is not in the cache. Panics when it cannot
/// be had.
#[must_use]
pub fn tool(name: &str) -> PathBuf {
    let output = Command::new("python3")
        .arg(here().join("tools/tools.py"))
        .args(["path", name])
        .output()
        .expect("python3 runs");
    assert!(
        output.status.success(),
        "no {name}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}

/// The provider under test: `EKB_PROVIDER_BINARY`, else `terraform-provider-ekb` beside the folder of the running test.
/// Panics where there is none.
#[must_use]
pub fn provider_binary() -> PathBuf {
    match std::env::var_os("EKB_PROVIDER_BINARY") {
        Some(path) => PathBuf::from(path),
        None => built("terraform-provider-ekb", "terraform-provider-ekb"),
    }
}

/// A program of this workspace's crate `package`, as it was built beside the running test. Panics where it was not.
#[must_use]
pub fn built(program: &str, package: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let found = test
        .ancestors()
        .skip(1)
        .take(3)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "no {program} near {}: run `cargo build -p {package}` (EKB_PROVIDER_BINARY names another provider)",
            test.display()
        )
    })
}

/// Python of the rig, looked up once.
pub(crate) fn tool_python() -> &'static Path {
    static PYTHON: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    PYTHON.get_or_init(|| tool("venv"))
}
