//! Physical units for field sensors: every unit is a type, so that litres never meet degrees.

use std::collections::BTreeMap;
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Div, Mul, Sub};

/// A quantity that can be shown with its symbol.
pub trait Unit: Copy + fmt::Display {
    const SYMBOL: &'static str;
    fn value(self) -> f64;
    fn of(value: f64) -> Self;
}

macro_rules! units {
    ($($name:ident $symbol:literal),* $(,)?) => { $(
        #[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
        pub struct $name(pub f64);

        impl Unit for $name {
            const SYMBOL: &'static str = $symbol;
            fn value(self) -> f64 { self.0 }
            fn of(value: f64) -> Self { Self(value) }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, "{:.2} {}", self.0, $symbol) }
        }
        impl Add for $name { type Output = Self; fn add(self, other: Self) -> Self { Self(self.0 + other.0) } }
        impl Sub for $name { type Output = Self; fn sub(self, other: Self) -> Self { Self(self.0 - other.0) } }
        impl Mul<f64> for $name { type Output = Self; fn mul(self, by: f64) -> Self { Self(self.0 * by) } }
        impl Div<f64> for $name { type Output = Self; fn div(self, by: f64) -> Self { Self(self.0 / by) } }
        impl Sum for $name { fn sum<I: Iterator<Item = Self>>(all: I) -> Self { Self(all.map(|u| u.0).sum()) } }
        impl $name {
            /// Readings grouped by a label, each group's mean.
            pub fn means<'a>(readings: impl IntoIterator<Item = (&'a str, Self)>) -> BTreeMap<String, Self> {
                let mut groups: BTreeMap<String, Vec<f64>> = BTreeMap::new();
                for (label, reading) in readings {
                    groups.entry(label.to_owned()).or_default().push(reading.0);
                }
                groups.into_iter().map(|(label, all)| {
                    let mean = all.iter().sum::<f64>() / all.len() as f64;
                    (label, Self(mean))
                }).collect()
            }
        }
    )* };
}

units! {
    Celsius "°C", Fahrenheit "°F", Kelvin "K", Percent "%", Lux "lx", Litre "l", Millimetre "mm", Metre "m",
    Hectare "ha", Kilogram "kg", Gram "g", Pascal "Pa", Bar "bar", Volt "V", Ampere "A", Watt "W", Joule "J",
    Hertz "Hz", Second "s", Minute "min", Hour "h", Ph "pH", Ppm "ppm", Newton "N", Knot "kn", Degree "°",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_taken_by_label() {
        let means = Celsius::means([("north", Celsius(10.0)), ("north", Celsius(14.0)), ("south", Celsius(20.0))]);
        assert_eq!(means["north"], Celsius(12.0));
    }
}
