//! Reports as aligned text.

grove_series::series! {
    PrintedSoil, PrintedLeaf, PrintedBark, PrintedRoot, PrintedAir, PrintedRain,
    PrintedWind, PrintedSun, PrintedFrost, PrintedDew, PrintedFog, PrintedHail,
    PrintedPump, PrintedValve, PrintedTank, PrintedFilter, PrintedPipe, PrintedMeter,
    PrintedBee, PrintedMoth, PrintedAphid, PrintedMite,
}

/// A bar of `width` columns that is full at `most`.
pub fn bar(value: f64, most: f64, width: usize) -> String {
    let filled = ((value / most).clamp(0.0, 1.0) * width as f64).round() as usize;
    format!("{:<width$}", "#".repeat(filled))
}

#[cfg(test)]
mod tests {
    #[test]
    fn half_a_bar_is_half_full() {
        assert_eq!(super::bar(5.0, 10.0, 6), "###   ");
    }
}
