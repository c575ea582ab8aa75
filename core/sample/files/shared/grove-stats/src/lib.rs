//! Series of samples: quantiles, means by row, notes on what looks odd.

grove_series::series! {
    Soil, Leaf, Bark, Root, Air, Rain,
    Wind, Sun, Frost, Dew, Fog, Hail,
    Pump, Valve, Tank, Filter, Pipe, Meter,
    Bee, Moth, Aphid, Mite, Wasp, Scab,
    Rust, Mould, Bloom, Bud, Fruit, Stone,
}

/// How many kinds of series there are.
pub const KINDS: usize = 30;

/// A number that depends on a few of them, so that nothing is optimised away.
pub fn checksum(seed: u32) -> f64 {
    let mut series = Soil::default();
    for row in 0..seed {
        series.record(row % 7, f64::from(row) * 0.37);
    }
    series.quantile(0.5).unwrap_or_default() + series.rows().len() as f64
}

