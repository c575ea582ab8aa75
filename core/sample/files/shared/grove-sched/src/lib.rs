//! Watering plans by row and day.

grove_series::series! {
    PlannedSoil, PlannedLeaf, PlannedBark, PlannedRoot, PlannedAir, PlannedRain,
    PlannedWind, PlannedSun, PlannedFrost, PlannedDew, PlannedFog, PlannedHail,
    PlannedPump, PlannedValve, PlannedTank, PlannedFilter, PlannedPipe, PlannedMeter,
    PlannedBee, PlannedMoth, PlannedAphid, PlannedMite, PlannedWasp, PlannedScab,
    PlannedRust, PlannedMould,
}

/// The driest row of some `(row, moisture)`: it is watered first.
pub fn driest(moistures: &[(u32, f64)]) -> Option<String> {
    let mut series = PlannedSoil::default();
    for &(row, moisture) in moistures {
        series.record(row, moisture);
    }
    series.rows().pop().map(|(row, _)| row)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_driest_row_comes_first() {
        assert_eq!(super::driest(&[(1, 40.0), (2, 12.0), (3, 55.0)]).as_deref(), Some("row 002"));
    }
}
