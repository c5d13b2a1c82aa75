//! Colours: a few that differ to most eyes, and ramps that are even in lightness.

/// For up to eight series.
const NAMED: [&str; 8] = ["#2f6db3", "#e07b39", "#3a9a68", "#b5446a", "#7a5fb0", "#8a6d4b", "#2fa3b3", "#6b6f76"];

/// From little to much.
const GROWING: [[f64; 3]; 5] =
    [[244.0, 247.0, 251.0], [176.0, 206.0, 230.0], [94.0, 154.0, 203.0], [40.0, 96.0, 164.0], [14.0, 42.0, 92.0]];

/// From below zero to above it; white is zero.
const DIVERGING: [[f64; 3]; 5] =
    [[36.0, 80.0, 152.0], [140.0, 178.0, 216.0], [248.0, 248.0, 248.0], [232.0, 158.0, 134.0], [172.0, 42.0, 48.0]];

/// Levels of a heat map. Fewer than a screen can show, so that a small change of a number rarely changes the file.
pub const LEVELS: usize = 33;

/// The colour of series `number` of `count`.
pub fn of_series(number: usize, count: usize) -> String {
    if count <= NAMED.len() {
        return NAMED[number % NAMED.len()].to_string();
    }
    // The lightest quarter is too faint for lines.
    ramp(&GROWING, 0.25 + 0.75 * number as f64 / (count - 1) as f64)
}

/// The colour of a level of a heat map.
pub fn of_level(level: usize, diverging: bool) -> String {
    let stops = if diverging { &DIVERGING } else { &GROWING };
    ramp(stops, level as f64 / (LEVELS - 1) as f64)
}

fn ramp(stops: &[[f64; 3]; 5], share: f64) -> String {
    let place = share.clamp(0.0, 1.0) * 4.0;
    let from = (place.floor() as usize).min(3);
    let rest = place - from as f64;
    let mix = |channel: usize| {
        let (a, b) = (stops[from][channel], stops[from + 1][channel]);
        (a + (b - a) * rest).round() as u8
    };
    format!("#{:02x}{:02x}{:02x}", mix(0), mix(1), mix(2))
}
