//! Charts in `.tgz` archives. Archives are hostile until read: no path may leave the chart, nothing may grow without
//! bound.

use std::io::Read;
use std::sync::Arc;

use super::File;
use crate::chart::error::Error;

/// Largest size of all files of an archive together: helm's own limit.
pub const MAX_TOTAL: u64 = 100 << 20;
/// Largest size of a chart together with the packed charts in it, however deep.
pub const MAX_NESTED: u64 = 256 << 20;
/// Most entries of an archive.
const MAX_ENTRIES: usize = 20_000;

/// Files of an archive, with paths relative to the chart's folder. Their size is taken from `budget`.
///
/// # Errors
/// What is no gzipped tar, has paths that leave it, or is too large.
pub fn files(bytes: &[u8], budget: &mut u64) -> Result<Vec<File>, Error> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let decoder = flate2::read::MultiGzDecoder::new(bytes);
        return entries(decoder, budget);
    }
    Err(Error::Chart(
        "file does not appear to be a gzipped archive; got 'application/octet-stream'".into(),
    ))
}

fn entries(reader: impl Read, budget: &mut u64) -> Result<Vec<File>, Error> {
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
        // A link, too, is a file to helm: an empty one.
        if entry.header().entry_type().is_dir() {
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
        let mut data = Vec::with_capacity(usize::try_from(entry.size()).unwrap_or(0));
        entry
            .by_ref()
            .take(left + 1)
            .read_to_end(&mut data)
            .map_err(bad)?;
        left = left.saturating_sub(data.len() as u64);
        *budget = budget.checked_sub(data.len() as u64).ok_or_else(|| {
            Error::Chart(format!(
                "decompressed charts in charts are larger than the maximum size {MAX_NESTED}"
            ))
        })?;
        out.push(File {
            name: name.into(),
            data: Arc::from(without_mark(data)),
        });
    }
    if out.is_empty() {
        return Err(Error::Chart("no files in chart archive".into()));
    }
    Ok(out)
}

/// Content without the byte order mark that some editors put before it.
pub(super) fn without_mark(mut data: Vec<u8>) -> Vec<u8> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    if data.starts_with(MARK) {
        data.drain(..MARK.len());
    }
    data
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

    fn unpacked(bytes: &[u8]) -> Result<Vec<File>, Error> {
        files(bytes, &mut MAX_NESTED.clone())
    }

    #[test]
    fn an_archive_is_read_without_its_folder() {
        let files = unpacked(&archive(&[
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
            assert!(unpacked(&archive(&[(path, b"x")])).is_err(), "{path}");
        }
    }

    #[test]
    fn what_unpacks_to_too_much_is_refused() {
        let large = vec![0u8; usize::try_from(MAX_TOTAL).unwrap() + 1];
        assert!(unpacked(&archive(&[("c/large", &large)])).is_err());
        // Many files, each small enough.
        let names: Vec<String> = (0..26).map(|n| format!("c/f{n}")).collect();
        let some = vec![0u8; 4 << 20];
        let many: Vec<(&str, &[u8])> = names.iter().map(|n| (n.as_str(), some.as_slice())).collect();
        assert!(unpacked(&archive(&many[..25])).is_ok());
        let error = unpacked(&archive(&many)).unwrap_err().to_string();
        assert!(error.contains("larger than the maximum size"), "{error}");
        assert!(unpacked(b"not an archive").is_err());
        assert!(unpacked(&archive(&[])).is_err());
    }

    #[test]
    fn packed_charts_in_packed_charts_share_a_limit() {
        let some = vec![0u8; 1000];
        // Each of which alone is fine.
        let sub = archive(&[
            ("s/f", &some),
            ("s/Chart.yaml", b"apiVersion: v2\nname: s\nversion: 1.0.0\n"),
        ]);
        let top = |count: usize| {
            let names: Vec<String> = (0..count).map(|n| format!("c/charts/s{n}.tgz")).collect();
            let mut entries: Vec<(&str, &[u8])> =
                names.iter().map(|n| (n.as_str(), sub.as_slice())).collect();
            entries.push(("c/Chart.yaml", b"apiVersion: v2\nname: c\nversion: 1.0.0\n"));
            crate::chart::load::unpack(&archive(&entries), 3000)
        };
        assert!(top(2).is_ok());
        let error = top(3).unwrap_err().to_string();
        assert!(error.contains("charts in charts are larger"), "{error}");
    }
}
