//! Watering plans by row and day.

grove_series::series! {
    PlannedSoil, PlannedLeaf, PlannedBark, PlannedRoot, PlannedAir, PlannedRain,
    PlannedWind, PlannedSun, PlannedFrost, PlannedDew, PlannedFog, PlannedHail,
    PlannedPump, PlannedValve, PlannedTank, PlannedFilter, PlannedPipe, PlannedMeter,
    PlannedBee, PlannedMoth, PlannedAphid, PlannedMite, PlannedWasp, PlannedScab,
    PlannedRust, PlannedMould,
}

/// How many kinds of series there are.
pub const KINDS: usize = 26;

/// A number that depends on a few of them, so that nothing is optimised away.
pub fn checksum(seed: u32) -> f64 {
    let mut series = PlannedSoil::default();
    for row in 0..seed {
        series.record(row % 7, f64::from(row) * 0.37);
    }
    series.quantile(0.5).unwrap_or_default() + series.rows().len() as f64
}

