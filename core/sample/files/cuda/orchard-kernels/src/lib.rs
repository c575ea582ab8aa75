//! Kernels for the orchard's grid of cells, as fat binaries that a driver loads.

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The fat binary of one file of kernels; `None` where this was built without nvcc.
pub fn file(name: &str) -> Option<&'static [u8]> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, content)| *content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_all_kernels_or_none() {
        assert_eq!(file("frost").is_some(), file("rain").is_some());
        assert!(file("hail").is_none());
    }

    #[test]
    fn a_fat_binary_begins_as_one() {
        assert!(FILES.iter().all(|(_, content)| content.starts_with(&[0x50, 0xed, 0x55, 0xba])));
    }
}
