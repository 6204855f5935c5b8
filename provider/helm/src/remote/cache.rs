//! Archives on disk, by digest: whoever has the digest has the bytes.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// A folder of archives, each named by its digest. Several processes may use it at once: files appear whole, and what
/// is read is verified. Once it holds more than its limit, what was not used for longest is removed; who is reading a file
/// at that moment has it open, and reads on.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
    limit: u64,
}

/// `sha256:…` of bytes.
pub fn digest(bytes: &[u8]) -> String {
    let mut out = String::from("sha256:");
    for byte in Sha256::digest(bytes) {
        out.push_str(&format!("{byte:02x}"));
    }
    out
}

/// The hexadecimal part of a digest, if it is a well-formed one: it becomes part of a path.
fn hexadecimal(digest: &str) -> Option<&str> {
    let hex = digest.strip_prefix("sha256:")?;
    let fine = hex.len() == 64
        && hex
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    fine.then_some(hex)
}

/// Whether it is `sha256:` and 64 digits.
pub(super) fn is_digest(digest: &str) -> bool {
    hexadecimal(digest).is_some()
}

impl Cache {
    /// A cache in a folder, which is made when it is first needed.
    /// `limit`: the bytes that may be kept; at least the newest archive is.
    pub fn new(folder: impl Into<PathBuf>, limit: u64) -> Self {
        Cache {
            folder: folder.into(),
            limit,
        }
    }
    /// `$XDG_CACHE_HOME/ekb/charts`, else `~/.cache/ekb/charts`.
    pub fn default_folder() -> Option<PathBuf> {
        let set = |name: &str| {
            std::env::var_os(name)
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
        };
        let caches = set("XDG_CACHE_HOME")
            .or_else(|| set("LOCALAPPDATA").filter(|_| cfg!(windows)))
            .or_else(|| Some(set("HOME")?.join(".cache")))?;
        Some(caches.join("ekb").join("charts"))
    }
    fn path(&self, digest: &str) -> Option<PathBuf> {
        Some(self.folder.join("sha256").join(hexadecimal(digest)?))
    }
    /// The bytes with this digest. A file that was damaged is removed.
    pub fn get(&self, wanted: &str) -> Option<Vec<u8>> {
        let path = self.path(wanted)?;
        let bytes = std::fs::read(&path).ok()?;
        if digest(&bytes) == wanted {
            used_now(&path);
            return Some(bytes);
        }
        // Should this fail, the next write replaces it all the same.
        let _ = std::fs::remove_file(path);
        None
    }
    /// Keeps bytes. A cache that cannot be written is no reason to fail: it is only not there the next time.
    pub fn put(&self, bytes: &[u8]) {
        let _ = self.write(bytes);
    }
    fn write(&self, bytes: &[u8]) -> std::io::Result<()> {
        let Some(path) = self.path(&digest(bytes)) else {
            return Ok(());
        };
        let folder = self.folder.join("sha256");
        std::fs::create_dir_all(&folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&folder)?;
        file.write_all(bytes)?;
        file.persist(&path)?;
        self.prune(&folder, &path)
    }
    /// Removes what was not used for longest, but not `newest`.
    fn prune(&self, folder: &Path, newest: &Path) -> std::io::Result<()> {
        let mut all = Vec::new();
        let stale = now() - ABANDONED;
        for entry in std::fs::read_dir(folder)?.flatten() {
            // Another process may just have removed it.
            let Ok(about) = entry.metadata() else { continue };
            let named = entry.file_name();
            let archive = hexadecimal(&format!("sha256:{}", named.to_string_lossy())).is_some();
            // What another process is writing is its own, unless that process is long gone.
            if archive || about.modified()? < stale {
                all.push((about.modified()?, about.len(), entry.path()));
            }
        }
        let mut total: u64 = all.iter().map(|(_, size, _)| size).sum();
        all.sort();
        for (_, size, path) in all {
            if total <= self.limit {
                break;
            }
            if path != newest && std::fs::remove_file(path).is_ok() {
                total -= size;
            }
        }
        Ok(())
    }
}

/// After this time, nobody is writing a file any more.
const ABANDONED: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

fn now() -> std::time::SystemTime {
    #[expect(clippy::disallowed_methods, reason = "a file's time; nothing waits for it")]
    std::time::SystemTime::now()
}

/// Remembers, as the file's time, that it is in use. Where that fails, the file only goes earlier.
fn used_now(path: &Path) {
    let _ = std::fs::File::options()
        .append(true)
        .open(path)
        .and_then(|file| file.set_modified(now()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_found_and_what_was_damaged_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("deep/cache"), 1 << 30);
        let wanted = digest(b"chart");
        assert_eq!(
            wanted,
            "sha256:cc57fc1903e444cf6a726490b43b27ee9f87facc037f86872201847c565b45fb"
        );
        assert_eq!(cache.get(&wanted), None);
        cache.put(b"chart");
        assert_eq!(cache.get(&wanted).as_deref(), Some(&b"chart"[..]));
        let file = cache.path(&wanted).unwrap();
        std::fs::write(&file, b"charm").unwrap();
        assert_eq!(cache.get(&wanted), None);
        assert!(!file.exists(), "a damaged file is removed");
        cache.put(b"chart");
        assert!(cache.get(&wanted).is_some());
        assert_eq!(cache.get("sha256:../../../etc/passwd"), None);
        assert_eq!(cache.get("../x"), None);
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path(), 250);
        let archives: Vec<Vec<u8>> = (0..4).map(|n| vec![n; 100]).collect();
        let there = |n: usize| cache.path(&digest(&archives[n])).unwrap().exists();
        let aged = |n: usize, seconds: u64| {
            let path = cache.path(&digest(&archives[n])).unwrap();
            let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            std::fs::File::options()
                .append(true)
                .open(path)
                .unwrap()
                .set_modified(time)
                .unwrap();
        };
        cache.put(&archives[0]);
        cache.put(&archives[1]);
        aged(0, 1);
        aged(1, 2);
        assert!(
            cache.get(&digest(&archives[0])).is_some(),
            "used: now it is the newer one"
        );
        cache.put(&archives[2]);
        assert!(there(0) && !there(1) && there(2), "the oldest use goes");
        let small = Cache::new(folder.path(), 10);
        let writing = tempfile::NamedTempFile::new_in(folder.path().join("sha256")).unwrap();
        small.put(&archives[3]);
        assert!(writing.path().exists(), "another process is writing it");
        let old = std::time::SystemTime::UNIX_EPOCH;
        writing.as_file().set_modified(old).unwrap();
        small.put(&archives[3]);
        assert!(!writing.path().exists(), "nobody is writing it any more");
        assert!(!there(0) && !there(2) && there(3), "what was just put stays");
    }

    #[test]
    fn many_may_write_the_same_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path(), 1 << 30);
        let bytes = vec![7; 1 << 20];
        let wanted = digest(&bytes);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        cache.put(&bytes);
                        assert_eq!(cache.get(&wanted).map(|b| b.len()), Some(bytes.len()));
                    }
                });
            }
        });
        let left = std::fs::read_dir(folder.path().join("sha256")).unwrap().count();
        assert_eq!(left, 1, "no half-written file is left");
    }
}
