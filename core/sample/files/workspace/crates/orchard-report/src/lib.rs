//! Writes the weekly report.

grove_series::series! {
    ReportedSoil, ReportedLeaf, ReportedBark, ReportedRoot, ReportedAir, ReportedRain,
    ReportedWind, ReportedSun, ReportedFrost, ReportedDew, ReportedFog, ReportedHail,
    ReportedPump, ReportedValve, ReportedTank, ReportedFilter, ReportedPipe, ReportedMeter,
    ReportedBee, ReportedMoth, ReportedAphid, ReportedMite, ReportedWasp, ReportedScab,
    ReportedRust, ReportedMould, ReportedBloom, ReportedBud, ReportedFruit, ReportedStone,
}

/// The first line of the report: what was usual up to a week.
pub fn headline(week: u32, samples: &[f64]) -> String {
    let mut season = orchard_store::Season::default();
    for &sample in samples {
        season.keep(sample);
    }
    let usual = season.usual().unwrap_or_default();
    format!("week {week}: {usual:.1} [{}]", grove_text::bar(usual, 100.0, 20))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_headline_shows_what_was_usual() {
        let headline = super::headline(9, &[50.0, 50.0, 51.0, 49.0]);
        assert_eq!(headline, "week 9: 50.0 [##########          ]");
    }
}
