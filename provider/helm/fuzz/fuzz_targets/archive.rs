//! Any bytes as an archive, packed and as they are: a chart or an error.
#![no_main]

use std::io::Write as _;

use helm::Chart;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = Chart::from_archive(data);
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    packer.write_all(data).expect("memory can be written");
    let packed = packer.finish().expect("memory can be written");
    if let Ok(chart) = Chart::from_archive(&packed) {
        for file in chart.files.iter() {
            assert!(!file.name.starts_with('/') && !file.name.split('/').any(|part| part == ".."), "{}", file.name);
        }
    }
});
