//! A line format for series: what gateways send.

grove_series::series! {
    CodedSoil, CodedLeaf, CodedBark, CodedRoot, CodedAir, CodedRain,
    CodedWind, CodedSun, CodedFrost, CodedDew, CodedFog, CodedHail,
    CodedPump, CodedValve, CodedTank, CodedFilter, CodedPipe, CodedMeter,
    CodedBee, CodedMoth, CodedAphid, CodedMite, CodedWasp, CodedScab,
    CodedRust, CodedMould,
}

/// One line from a gateway: `SITE NUMBER VALUE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Line<'a> {
    pub site: &'a str,
    pub number: u32,
    pub value: f64,
}

impl<'a> Line<'a> {
    /// Reads a line; `None` where it is noise.
    pub fn read(text: &'a str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let (site, number, value) = (words.next()?, words.next()?, words.next()?);
        let line = Self { site, number: number.parse().ok()?, value: value.parse().ok()? };
        words.next().is_none().then_some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::Line;

    #[test]
    fn noise_is_not_a_line() {
        assert_eq!(Line::read("mast 2 7.5"), Some(Line { site: "mast", number: 2, value: 7.5 }));
        assert_eq!(Line::read("mast two 7.5"), None);
    }
}
