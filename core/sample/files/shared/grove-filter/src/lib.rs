//! Filters over noisy series.

grove_series::series! {
    SmoothSoil, SmoothLeaf, SmoothBark, SmoothRoot, SmoothAir, SmoothRain,
    SmoothWind, SmoothSun, SmoothFrost, SmoothDew, SmoothFog, SmoothHail,
    SmoothPump, SmoothValve, SmoothTank, SmoothFilter, SmoothPipe, SmoothMeter,
    SmoothBee, SmoothMoth, SmoothAphid, SmoothMite, SmoothWasp, SmoothScab,
    SmoothRust, SmoothMould,
}

/// How many kinds of series there are.
pub const KINDS: usize = 26;

/// A number that depends on a few of them, so that nothing is optimised away.
pub fn checksum(seed: u32) -> f64 {
    let mut series = SmoothSoil::default();
    for row in 0..seed {
        series.record(row % 7, f64::from(row) * 0.37);
    }
    series.quantile(0.5).unwrap_or_default() + series.rows().len() as f64
}

