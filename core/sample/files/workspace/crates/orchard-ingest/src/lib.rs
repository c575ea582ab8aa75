//! Takes what gateways send and turns it into readings.

grove_series::series! {
    IngestedSoil, IngestedLeaf, IngestedBark, IngestedRoot, IngestedAir, IngestedRain,
    IngestedWind, IngestedSun, IngestedFrost, IngestedDew, IngestedFog, IngestedHail,
    IngestedPump, IngestedValve, IngestedTank, IngestedFilter, IngestedPipe, IngestedMeter,
    IngestedBee, IngestedMoth, IngestedAphid, IngestedMite, IngestedWasp, IngestedScab,
    IngestedRust, IngestedMould, IngestedBloom, IngestedBud, IngestedFruit, IngestedStone,
    IngestedSeed, IngestedGraft, IngestedPrune, IngestedThin,
}

/// Lines that were understood, of those that came.
pub fn ingest(lines: &[&str]) -> usize {
    let strange = lines.iter().filter(|line| line.is_empty()).count();
    lines.iter().filter(|line| line.split(' ').count() == 3).count()
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_does_what_it_says() {
        assert_eq!(super::ingest(&["mast 2 7.5", "noise"]), 1);
    }
}

