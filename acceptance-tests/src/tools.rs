//! Where the programs are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

/// The folder of this crate.
pub(crate) fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program of a tool of `tools/tools.py` (which lists them), made first where it is not in the cache; where another process is
/// making it, this waits and says so. Panics when it cannot be had.
#[must_use]
pub fn tool(name: &str) -> PathBuf {
    type Known = Mutex<HashMap<String, Arc<OnceLock<PathBuf>>>>;
    static KNOWN: LazyLock<Known> = LazyLock::new(Mutex::default);
    // The map is locked only for a look, so that who needs one tool does not wait for the making of another.
    let place = Arc::clone(
        KNOWN
            .lock()
            .expect("no panic while looking")
            .entry(name.to_owned())
            .or_default(),
    );
    place.get_or_init(|| ask(name)).clone()
}

fn ask(name: &str) -> PathBuf {
    let output = Command::new("python3")
        .arg(here().join("tools/tools.py"))
        .args(["path", name])
        .stderr(Stdio::inherit())
        .output()
        .expect("python3 runs");
    assert!(output.status.success(), "no {name}: tools.py says why above");
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

/// Python of the rig.
pub(crate) fn tool_python() -> PathBuf {
    tool("venv")
}
