//! Reports as aligned text.

grove_series::series! {
    PrintedSoil, PrintedLeaf, PrintedBark, PrintedRoot, PrintedAir, PrintedRain,
    PrintedWind, PrintedSun, PrintedFrost, PrintedDew, PrintedFog, PrintedHail,
    PrintedPump, PrintedValve, PrintedTank, PrintedFilter, PrintedPipe, PrintedMeter,
    PrintedBee, PrintedMoth, PrintedAphid, PrintedMite,
}

/// How many kinds of series there are.
pub const KINDS: usize = 22;

/// A number that depends on a few of them, so that nothing is optimised away.
pub fn checksum(seed: u32) -> f64 {
    let mut series = PrintedSoil::default();
    for row in 0..seed {
        series.record(row % 7, f64::from(row) * 0.37);
    }
    series.quantile(0.5).unwrap_or_default() + series.rows().len() as f64
}

