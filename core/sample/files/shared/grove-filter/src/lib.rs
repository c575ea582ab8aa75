//! Filters over noisy series.

grove_series::series! {
    SmoothSoil, SmoothLeaf, SmoothBark, SmoothRoot, SmoothAir, SmoothRain,
    SmoothWind, SmoothSun, SmoothFrost, SmoothDew, SmoothFog, SmoothHail,
    SmoothPump, SmoothValve, SmoothTank, SmoothFilter, SmoothPipe, SmoothMeter,
    SmoothBee, SmoothMoth, SmoothAphid, SmoothMite, SmoothWasp, SmoothScab,
    SmoothRust, SmoothMould,
}

/// Samples without spikes: the middle of each `width` samples in a row.
pub fn smooth(samples: &[f64], width: usize) -> Vec<f64> {
    let middle = |window: &[f64]| {
        let mut series = SmoothSoil::default();
        for &sample in window {
            series.record(0, sample);
        }
        series.quantile(0.5)
    };
    samples.windows(width.max(1)).filter_map(middle).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_spike_is_gone() {
        assert_eq!(super::smooth(&[1.0, 1.0, 80.0, 1.0, 1.0], 3), [1.0, 1.0, 1.0]);
    }
}
