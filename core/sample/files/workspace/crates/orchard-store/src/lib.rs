//! Keeps a season of readings.

grove_series::series! {
    StoredSoil, StoredLeaf, StoredBark, StoredRoot, StoredAir, StoredRain,
    StoredWind, StoredSun, StoredFrost, StoredDew, StoredFog, StoredHail,
    StoredPump, StoredValve, StoredTank, StoredFilter, StoredPipe, StoredMeter,
    StoredBee, StoredMoth, StoredAphid, StoredMite, StoredWasp, StoredScab,
    StoredRust, StoredMould, StoredBloom, StoredBud, StoredFruit, StoredStone,
    StoredSeed, StoredGraft, StoredPrune, StoredThin,
}

/// Rows of a season that are kept.
pub fn kept(rows: u32) -> f64 {
    grove_stats::checksum(rows) + grove_filter::checksum(rows / 2)
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_does_what_it_says() {
        assert!(super::kept(40) > 0.0);
    }
}

