//! What sensors say, as types.

use grove_time::Day;
use grove_units::{Celsius, Knot, Lux, Metre, Percent, Ph, Unit};
use orchard_derive::Reading;

/// A reading that can name itself.
pub trait Reading {
    const NAME: &'static str;
    const FIELDS: &'static [&'static str];
}

#[derive(Clone, Debug, Default, PartialEq, Reading)]
pub struct SoilMoisture {
    pub row: u32,
    pub day: Day,
    pub value: Percent,
}
impl SoilMoisture {
    /// Whether the value lies in the range that is plausible in this orchard.
    pub fn is_plausible(&self) -> bool {
        (0.0..=100.0).contains(&self.value.value())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Reading)]
pub struct AirTemperature {
    pub row: u32,
    pub day: Day,
    pub value: Celsius,
}
impl AirTemperature {
    /// Whether the value lies in the range that is plausible in this orchard.
    pub fn is_plausible(&self) -> bool {
        (-30.0..=50.0).contains(&self.value.value())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Reading)]
pub struct WindSpeed {
    pub row: u32,
    pub day: Day,
    pub value: Knot,
}
impl WindSpeed {
    /// Whether the value lies in the range that is plausible in this orchard.
    pub fn is_plausible(&self) -> bool {
        (0.0..=90.0).contains(&self.value.value())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Reading)]
pub struct WaterLevel {
    pub row: u32,
    pub day: Day,
    pub value: Metre,
}
impl WaterLevel {
    /// Whether the value lies in the range that is plausible in this orchard.
    pub fn is_plausible(&self) -> bool {
        (0.0..=12.0).contains(&self.value.value())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Reading)]
pub struct LightLevel {
    pub row: u32,
    pub day: Day,
    pub value: Lux,
}
impl LightLevel {
    /// Whether the value lies in the range that is plausible in this orchard.
    pub fn is_plausible(&self) -> bool {
        (0.0..=120000.0).contains(&self.value.value())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Reading)]
pub struct Acidity {
    pub row: u32,
    pub day: Day,
    pub value: Ph,
}
impl Acidity {
    /// Whether the value lies in the range that is plausible in this orchard.
    pub fn is_plausible(&self) -> bool {
        (3.0..=10.0).contains(&self.value.value())
    }
}

/// Names of all kinds of readings.
///
/// ```
/// assert!(orchard_model::kinds().contains(&"SoilMoisture"));
/// ```
pub fn kinds() -> [&'static str; 6] {
    [SoilMoisture::NAME, AirTemperature::NAME, WindSpeed::NAME, WaterLevel::NAME, LightLevel::NAME, Acidity::NAME]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_knows_its_fields() {
        assert_eq!(SoilMoisture::FIELDS, ["row", "day", "value"]);
    }

    #[test]
    fn frost_is_plausible_and_boiling_is_not() {
        let reading = |value| AirTemperature { value: Celsius(value), ..AirTemperature::default() };
        assert!(reading(-12.0).is_plausible());
        assert!(!reading(99.0).is_plausible());
    }
}
