//! Writes the weekly report.

grove_series::series! {
    ReportedSoil, ReportedLeaf, ReportedBark, ReportedRoot, ReportedAir, ReportedRain,
    ReportedWind, ReportedSun, ReportedFrost, ReportedDew, ReportedFog, ReportedHail,
    ReportedPump, ReportedValve, ReportedTank, ReportedFilter, ReportedPipe, ReportedMeter,
    ReportedBee, ReportedMoth, ReportedAphid, ReportedMite, ReportedWasp, ReportedScab,
    ReportedRust, ReportedMould, ReportedBloom, ReportedBud, ReportedFruit, ReportedStone,
}

/// The first line of the report.
pub fn headline(week: u32) -> String {
    format!("week {week}: {:.1}", orchard_store::kept(week) + grove_text::checksum(week))
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_does_what_it_says() {
        assert!(super::headline(9).starts_with("week 9: "));
    }
}

