//! Charts in `.tgz` archives. Archives are hostile until read: no path may leave the chart, nothing may grow without
//! bound.

use std::io::Read;
use std::sync::Arc;

use super::File;
use crate::error::Error;

/// Largest size of all files of an archive together: helm's own limit.
pub const MAX_TOTAL: u64 = 100 << 20;
/// Largest single file: helm's own limit.
pub const MAX_FILE: u64 = 5 << 20;
/// Most entries of an archive.
const MAX_ENTRIES: usize = 20_000;

/// Files of an archive, with paths relative to the chart's folder.
///
/// # Errors
/// What is no gzipped tar, has paths that leave it, or is too large.
pub fn files(bytes: &[u8]) -> Result<Vec<File>, Error> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let decoder = flate2::read::MultiGzDecoder::new(bytes);
        return entries(decoder);
    }
    Err(Error::Chart(
        "file does not appear to be a gzipped archive; got 'application/octet-stream'".into(),
    ))
}

fn entries(reader: impl Read) -> Result<Vec<File>, Error> {
    let bad = |e: std::io::Error| Error::Chart(format!("cannot read the archive: {e}"));
    // Headers and padding count too: a bit more than the files.
    let mut archive = tar::Archive::new(reader.take(MAX_TOTAL + (32 << 20)));
    let mut out = Vec::new();
    let mut left = MAX_TOTAL;
    for (count, entry) in archive.entries().map_err(bad)?.enumerate() {
        if count > MAX_ENTRIES {
            return Err(Error::Chart("the archive has too many entries".into()));
        }
        let mut entry = entry.map_err(bad)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = String::from_utf8_lossy(&entry.path_bytes()).replace('\\', "/");
        let Some((_, name)) = path.split_once('/') else {
            return Err(Error::Chart(
                "chart illegally contains content outside the base directory".into(),
            ));
        };
        if name.is_empty() {
            continue;
        }
        if path.starts_with('/') {
            return Err(Error::Chart("chart illegally contains absolute paths".into()));
        }
        let name = crate::functions::clean_path(name);
        if name == "." {
            return Err(Error::Chart(
                "chart illegally contains content outside the base directory".into(),
            ));
        }
        if name.starts_with("..") {
            return Err(Error::Chart("chart illegally references parent directory".into()));
        }
        if name.as_bytes().get(1) == Some(&b':') {
            return Err(Error::Chart("chart contains illegally named files".into()));
        }
        if entry.size() > left {
            return Err(Error::Chart(format!(
                "decompressed chart is larger than the maximum size {MAX_TOTAL}"
            )));
        }
        if entry.size() > MAX_FILE {
            return Err(Error::Chart(format!(
                "decompressed chart file {} is larger than the maximum file size {MAX_FILE}",
                crate::gofmt::quote(&path)
            )));
        }
        let mut data = Vec::with_capacity(usize::try_from(entry.size()).unwrap_or(0));
        entry
            .by_ref()
            .take(MAX_FILE + 1)
            .read_to_end(&mut data)
            .map_err(bad)?;
        left = left.saturating_sub(data.len() as u64);
        let data = data
            .strip_prefix(b"\xef\xbb\xbf")
            .map_or(data.clone(), <[u8]>::to_vec);
        out.push(File {
            name: name.into(),
            data: Arc::from(data),
        });
    }
    if out.is_empty() {
        return Err(Error::Chart("no files in chart archive".into()));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, data) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(data.len() as u64);
            header.set_mode(0o644);
            // Set by hand: the library refuses the paths that a hostile archive has.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            tar.append(&header, *data).unwrap();
        }
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(&tar.into_inner().unwrap()).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn an_archive_is_read_without_its_folder() {
        let files = files(&archive(&[
            ("c/Chart.yaml", b"name: c"),
            ("c/templates/a.yaml", b"x"),
        ]))
        .unwrap();
        assert_eq!(
            files.iter().map(|f| &*f.name).collect::<Vec<_>>(),
            ["Chart.yaml", "templates/a.yaml"]
        );
    }

    #[test]
    fn paths_that_leave_the_chart_are_refused() {
        for path in ["c/../../etc/passwd", "c/..", "/etc/passwd", "Chart.yaml"] {
            assert!(files(&archive(&[(path, b"x")])).is_err(), "{path}");
        }
    }

    #[test]
    fn what_unpacks_to_too_much_is_refused() {
        let large = vec![0u8; usize::try_from(MAX_FILE).unwrap() + 1];
        assert!(files(&archive(&[("c/large", &large)])).is_err());
        assert!(files(b"not an archive").is_err());
        assert!(files(&archive(&[])).is_err());
    }
}
