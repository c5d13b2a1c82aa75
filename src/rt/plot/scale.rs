//! Numbers to places on an axis, and the round numbers that label it.

use super::super::format::{range, significant};

/// One axis of a figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    pub low: f64,
    pub high: f64,
    pub log: bool,
}

impl Scale {
    /// The extent of these numbers (all above zero if `log`). One number alone gets room around it.
    pub fn of(values: impl Iterator<Item = f64>, log: bool) -> Scale {
        let all: Vec<f64> = values.collect();
        let (low, high) = if all.is_empty() { (0.0, 1.0) } else { range(&all) };
        match (low == high, log) {
            (false, _) => Scale { low, high, log },
            (true, true) => Scale { low: low / 2.0, high: high * 2.0, log },
            (true, false) => {
                let room = (low.abs() * 0.1).max(0.5);
                Scale { low: low - room, high: high + room, log }
            }
        }
    }

    /// Starts at zero where that is meaningful: bars are read by their length.
    pub fn with_zero(self) -> Scale {
        if self.log { self } else { Scale { low: self.low.min(0.0), high: self.high.max(0.0), ..self } }
    }

    /// Widened by this share of itself at both ends, but not past zero.
    pub fn padded(self, share: f64) -> Scale {
        if self.log {
            let factor = (self.high / self.low).powf(share);
            return Scale { low: self.low / factor, high: self.high * factor, ..self };
        }
        let room = self.high * share - self.low * share;
        if !(self.high + room).is_finite() || !(self.low - room).is_finite() {
            return self;
        }
        let low = if self.low >= 0.0 && self.low < room { 0.0 } else { self.low - room };
        let high = if self.high <= 0.0 && -self.high < room { 0.0 } else { self.high + room };
        Scale { low, high, ..self }
    }

    /// Where a number lies: 0 at the low end, 1 at the high end.
    pub fn at(&self, x: f64) -> f64 {
        let to = |x: f64| if self.log { x.max(f64::MIN_POSITIVE).log10() } else { x };
        // Halved, because the distance of two f64 can overflow.
        let (low, high, x) = (to(self.low) / 2.0, to(self.high) / 2.0, to(x) / 2.0);
        if high > low { (x - low) / (high - low) } else { 0.5 }
    }

    /// Round numbers on the axis, about `wanted` of them, with their text.
    pub fn ticks(&self, wanted: usize) -> Vec<(f64, String)> {
        if self.log {
            return self.log_ticks(wanted);
        }
        // Halved, because the distance of two f64 can overflow.
        let step = round_step((self.high / 2.0 - self.low / 2.0) / (wanted.max(1) as f64 / 2.0));
        self.multiples(step)
    }

    /// Round numbers among whole ones: for axes that count.
    pub fn whole_ticks(&self, wanted: usize) -> Vec<(f64, String)> {
        self.multiples(round_step((self.high - self.low) / wanted.max(1) as f64).max(1.0))
    }

    fn multiples(&self, step: f64) -> Vec<(f64, String)> {
        if !(step > 0.0 && step.is_finite()) {
            return Vec::new();
        }
        let (first, last) = ((self.low / step - 1e-9).ceil(), (self.high / step + 1e-9).floor());
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        let extreme = self.low.abs().max(self.high.abs());
        let mut ticks = Vec::new();
        let mut count = first;
        // Where adding one changes nothing, the axis is finer than its numbers.
        while count <= last && ticks.len() < 30 && count + 1.0 > count {
            let x = count * step;
            let plain = (1e-4..1e7).contains(&extreme) && decimals <= 6;
            let text = if count == 0.0 {
                "0".to_string()
            } else if plain {
                format!("{x:.decimals$}")
            } else {
                significant(x, 4)
            };
            ticks.push((x, text));
            count += 1.0;
        }
        ticks
    }

    fn log_ticks(&self, wanted: usize) -> Vec<(f64, String)> {
        let (low, high) = (self.low.log10(), self.high.log10());
        let (first, last) = (low.floor() as i32, high.ceil() as i32);
        // Few decades: 2 and 5 as well. Many: only every so many.
        let factors: &[f64] = if high - low < 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let every = ((last - first) as usize / wanted.max(1) + 1) as i32;
        let mut ticks = Vec::new();
        for power in (first..=last).filter(|power| power.rem_euclid(every) == 0) {
            for factor in factors {
                let x = factor * 10f64.powi(power);
                if x >= self.low * (1.0 - 1e-9) && x <= self.high * (1.0 + 1e-9) {
                    ticks.push((x, significant(x, 4)));
                }
            }
        }
        ticks
    }
}

/// The one of 1, 2, 5, 10, 20, .. that is nearest to this size.
fn round_step(size: f64) -> f64 {
    if !(size > 0.0 && size.is_finite()) {
        return 1.0;
    }
    let power = 10f64.powf(size.log10().floor());
    // The borders are the geometric means of neighbours.
    let factor = match size / power {
        share if share < 1.414 => 1.0,
        share if share < 3.162 => 2.0,
        share if share < 7.071 => 5.0,
        _ => 10.0,
    };
    factor * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(low: f64, high: f64, log: bool) -> String {
        let ticks = Scale { low, high, log }.ticks(5);
        ticks.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(told(0.0, 1.0, false), "0 0.2 0.4 0.6 0.8 1.0");
        assert_eq!(told(-3.0, 97.0, false), "0 20 40 60 80");
        assert_eq!(told(0.0013, 0.0017, false), "0.0013 0.0014 0.0015 0.0016 0.0017");
        assert_eq!(told(0.0, 3e7, false), "0 5000000 10000000 15000000 20000000 25000000 30000000");
        assert_eq!(told(1e-6, 1.0, true), "1e-6 0.0001 0.01 1");
        assert_eq!(told(1.0, 40.0, true), "1 2 5 10 20");
        assert_eq!(told(-1e308, 1e308, false), "-1e308 -5e307 0 5e307 1e308");
    }

    #[test]
    fn places() {
        let linear = Scale { low: -1.0, high: 1.0, log: false };
        assert_eq!((linear.at(-1.0), linear.at(0.0), linear.at(1.0)), (0.0, 0.5, 1.0));
        let log = Scale { low: 0.01, high: 100.0, log: true };
        assert_eq!(log.at(1.0), 0.5);
        let one = Scale::of([3.0].into_iter(), false);
        assert_eq!(one.at(3.0), 0.5);
        assert_eq!(Scale::of([f64::MAX, f64::MIN].into_iter(), false).at(0.0), 0.5);
    }
}
