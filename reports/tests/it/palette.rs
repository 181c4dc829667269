//! Colours that can be read and told apart, in light, dark and print.

use std::collections::BTreeMap;

const STYLE: &str = include_str!("../../src/page/style.css");

/// Red, green and blue, 0 to 1, without gamma.
type Rgb = [f64; 3];

/// The colours of each `:root`, by name: light, dark, print.
fn palettes() -> Vec<BTreeMap<&'static str, Rgb>> {
    let blocks = STYLE.split(":root {").skip(1).map(|rest| rest.split('}').next().unwrap());
    let colours = |block: &'static str| {
        block
            .split(';')
            .filter_map(|line| {
                let (name, value) = line.trim().strip_prefix("--")?.split_once(':')?;
                Some((name, rgb(value.trim().strip_prefix('#')?)))
            })
            .collect()
    };
    blocks.map(colours).collect()
}

fn rgb(hex: &str) -> Rgb {
    let digit = |i: usize| u32::from_str_radix(&hex[i..=i], 16).unwrap();
    let part = |i: usize| match hex.len() {
        3 => 17 * digit(i),
        _ => 16 * digit(2 * i) + digit(2 * i + 1),
    };
    [0, 1, 2].map(|i| {
        let c = f64::from(part(i)) / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    })
}

fn luminance([r, g, b]: Rgb) -> f64 {
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

/// As the web's accessibility guidelines define it.
fn contrast(a: Rgb, b: Rgb) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn text_can_be_read() {
    let text = [
        (
            "ink",
            "page panel sunk ok-bg info-bg fail-bg invalid-bg valid-bg unknown-bg interrupted-bg",
        ),
        ("soft", "page panel sunk valid-bg invalid-bg unknown-bg interrupted-bg"),
        ("link", "page panel sunk invalid-bg"),
        ("valid", "valid-bg panel"),
        ("invalid", "invalid-bg panel sunk"),
        ("unknown", "unknown-bg panel"),
        ("interrupted", "interrupted-bg panel"),
        ("window-ink", "window"),
    ];
    let palettes = palettes();
    assert_eq!(palettes.len(), 3, "light, dark, print");
    for (i, palette) in palettes.iter().enumerate() {
        for (ink, grounds) in text {
            for ground in grounds.split(' ') {
                let contrast = contrast(palette[ink], palette[ground]);
                assert!(contrast >= 4.5, "{ink} on {ground} in palette {i}: {contrast:.2}");
            }
        }
    }
}

#[test]
fn marks_can_be_seen() {
    for palette in palettes() {
        for mark in ["ok", "info", "fail", "hue0", "hue1", "hue2", "hue3", "hue4", "hue5", "window"]
        {
            for ground in ["panel", "sunk"] {
                let contrast = contrast(palette[mark], palette[ground]);
                assert!(contrast >= 3.0, "{mark} on {ground}: {contrast:.2}");
            }
        }
    }
}

/// What people without the receptors for red or for green see, after Viénot, Brettel and Mollon.
fn without(red: bool, [r, g, b]: Rgb) -> Rgb {
    let [long, middle] = if red { [0.112_38, 0.887_62] } else { [0.292_75, 0.707_25] };
    let yellow = long * r + middle * g;
    let blue = if red { 0.004_01 * (r - g) + b } else { 0.022_34 * (g - r) + b };
    [yellow, yellow, blue]
}

#[test]
fn outcomes_differ_without_red_or_green() {
    for palette in palettes() {
        let outcomes = ["ok", "info", "fail"].map(|name| palette[name]);
        for red in [true, false] {
            let seen = outcomes.map(|c| without(red, c).map(|x| x.clamp(0.0, 1.0).powf(1.0 / 2.2)));
            for (a, b) in [(0, 1), (1, 2), (0, 2)] {
                let apart: f64 = seen[a].iter().zip(seen[b]).map(|(x, y)| (x - y).powi(2)).sum();
                assert!(apart.sqrt() > 0.2, "{a} and {b}: {:.2}", apart.sqrt());
            }
        }
    }
}
