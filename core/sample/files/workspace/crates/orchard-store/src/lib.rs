//! Keeps a season of readings.

grove_series::series! {
    StoredSoil, StoredLeaf, StoredBark, StoredRoot, StoredAir, StoredRain,
    StoredWind, StoredSun, StoredFrost, StoredDew, StoredFog, StoredHail,
    StoredPump, StoredValve, StoredTank, StoredFilter, StoredPipe, StoredMeter,
    StoredBee, StoredMoth, StoredAphid, StoredMite, StoredWasp, StoredScab,
    StoredRust, StoredMould, StoredBloom, StoredBud, StoredFruit, StoredStone,
    StoredSeed, StoredGraft, StoredPrune, StoredThin,
}

/// A season's readings of one sensor, in the order they came.
#[derive(Clone, Debug, Default)]
pub struct Season {
    samples: Vec<f64>,
}

impl Season {
    pub fn keep(&mut self, sample: f64) {
        self.samples.push(sample);
    }

    /// What was usual: spikes of a loose cable do not count.
    pub fn usual(&self) -> Option<f64> {
        grove_stats::middle(&grove_filter::smooth(&self.samples, 3))
    }
}

#[cfg(test)]
mod tests {
    use super::Season;

    #[test]
    fn a_loose_cable_is_not_usual() {
        let mut season = Season::default();
        [7.0, 7.5, 999.0, 7.5, 8.0].into_iter().for_each(|sample| season.keep(sample));
        assert_eq!(season.usual(), Some(7.5));
    }
}
