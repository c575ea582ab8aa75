//! A line format for series: what gateways send.

grove_series::series! {
    CodedSoil, CodedLeaf, CodedBark, CodedRoot, CodedAir, CodedRain,
    CodedWind, CodedSun, CodedFrost, CodedDew, CodedFog, CodedHail,
    CodedPump, CodedValve, CodedTank, CodedFilter, CodedPipe, CodedMeter,
    CodedBee, CodedMoth, CodedAphid, CodedMite, CodedWasp, CodedScab,
    CodedRust, CodedMould,
}

/// How many kinds of series there are.
pub const KINDS: usize = 26;

/// A number that depends on a few of them, so that nothing is optimised away.
pub fn checksum(seed: u32) -> f64 {
    let mut series = CodedSoil::default();
    for row in 0..seed {
        series.record(row % 7, f64::from(row) * 0.37);
    }
    series.quantile(0.5).unwrap_or_default() + series.rows().len() as f64
}

