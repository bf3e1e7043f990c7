//! Measured values as a picture: bars beside each other, in light and dark.
//!
//! The values are a file in the tree, which `make bench` and `make cluster-test` write in this
//! form; the pictures are made of it and committed, as the man pages are.
#![forbid(unsafe_code)]

use plotters::backend::SVGBackend;
use plotters::element::{Rectangle, Text};
use plotters::prelude::{Color as _, DrawingArea, IntoDrawingArea as _, IntoFont as _};
use plotters::style::RGBColor;
use serde_json::Value;

/// What was measured.
#[derive(Debug, PartialEq)]
pub struct Chart {
    title: String,
    unit: String,
    /// When, and on what machine.
    source: String,
    /// Whose bars there are.
    series: Vec<String>,
    /// A name, and a bar of each series; `None` is a value that was not measured.
    groups: Vec<(String, Vec<Option<f64>>)>,
}

/// The colours of a picture.
struct Palette {
    name: &'static str,
    paper: RGBColor,
    ink: RGBColor,
    faint: RGBColor,
    bars: [RGBColor; 4],
}

impl Palette {
    /// The colour of a series, the same in all pictures.
    fn of(&self, series: &str) -> RGBColor {
        let number = match series {
            "native" => 0,
            "native with watch" => 1,
            "shell" => 2,
            _ => 3,
        };
        self.bars[number]
    }
}

const LIGHT: Palette = Palette {
    name: "light",
    paper: RGBColor(255, 255, 255),
    ink: RGBColor(31, 35, 40),
    faint: RGBColor(101, 109, 118),
    bars: [
        RGBColor(9, 105, 218),
        RGBColor(26, 127, 55),
        RGBColor(140, 149, 159),
        RGBColor(154, 103, 0),
    ],
};

const DARK: Palette = Palette {
    name: "dark",
    paper: RGBColor(13, 17, 23),
    ink: RGBColor(230, 237, 243),
    faint: RGBColor(141, 150, 160),
    bars: [
        RGBColor(68, 147, 248),
        RGBColor(63, 185, 80),
        RGBColor(101, 108, 118),
        RGBColor(210, 153, 34),
    ],
};

const WIDTH: i32 = 720;
/// Where bars begin, and how long the longest is.
const LEFT: i32 = 190;
const LONGEST: i32 = 430;
const BAR: i32 = 14;
const GAP: i32 = 14;
const HEAD: i32 = 64;

impl Chart {
    /// Reads a file of values.
    ///
    /// # Errors
    /// With what it lacks.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let word = |name: &str| {
            value[name].as_str().map(str::to_owned).ok_or_else(|| format!("no text {name}"))
        };
        let list = |name: &str| value[name].as_array().ok_or_else(|| format!("no list {name}"));
        let series: Vec<String> =
            list("series")?.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
        let mut groups = Vec::new();
        for group in list("groups")? {
            let name = group["name"].as_str().ok_or("a group without name")?.to_owned();
            let values: Vec<Option<f64>> =
                series.iter().map(|series| group[series.as_str()].as_f64()).collect();
            groups.push((name, values));
        }
        let source = format!("{}, {}", word("date")?, word("machine")?);
        Ok(Self { title: word("title")?, unit: word("unit")?, source, series, groups })
    }

    /// The pictures, each with its colours' name.
    ///
    /// # Errors
    /// What cannot be drawn.
    pub fn pictures(&self) -> Result<Vec<(&'static str, String)>, String> {
        [LIGHT, DARK].iter().map(|palette| Ok((palette.name, self.draw(palette)?))).collect()
    }

    /// The bars of a group: those that were measured.
    fn bars(values: &[Option<f64>]) -> Vec<(usize, f64)> {
        values.iter().enumerate().filter_map(|(series, value)| Some((series, (*value)?))).collect()
    }

    /// Whether a series has a bar.
    fn has(&self, series: usize) -> bool {
        self.groups.iter().any(|(_, values)| values.get(series).is_some_and(Option::is_some))
    }

    fn height(&self) -> i32 {
        let bars = self.groups.iter().map(|(_, values)| Self::bars(values).len());
        let bars = i32::try_from(bars.sum::<usize>()).unwrap_or_default();
        let groups = i32::try_from(self.groups.len()).unwrap_or_default();
        HEAD + bars * (BAR + 2) + groups * GAP + 20
    }

    fn draw(&self, palette: &Palette) -> Result<String, String> {
        let mut svg = String::new();
        let size = (WIDTH.unsigned_abs(), self.height().unsigned_abs());
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let drawn = self.draw_on(&area, palette).and_then(|()| area.present());
        drawn.map_err(|error| error.to_string())?;
        drop(area);
        Ok(svg)
    }

    fn draw_on<'a>(
        &self,
        area: &Area<'a>,
        palette: &Palette,
    ) -> Result<(), plotters::drawing::DrawingAreaErrorKind<<SVGBackend<'a> as Backend>::ErrorType>>
    {
        let write = |text: &str, at: (i32, i32), size: i32, colour: &RGBColor| {
            area.draw(&Text::new(
                text.to_owned(),
                at,
                ("sans-serif", size).into_font().color(colour),
            ))
        };
        area.fill(&palette.paper)?;
        write(&self.title, (16, 12), 16, &palette.ink)?;
        let mut right = 16;
        for (series, _) in self.series.iter().zip(0..).filter(|(_, number)| self.has(*number)) {
            let colour = palette.of(series);
            area.draw(&Rectangle::new([(right, 40), (right + 10, 50)], colour.filled()))?;
            write(series, (right + 16, 39), 13, &palette.ink)?;
            right += 40 + 7 * i32::try_from(series.chars().count()).unwrap_or_default();
        }
        write(&format!("{}; {}", self.unit, self.source), (right, 39), 12, &palette.faint)?;
        let all = self.groups.iter().flat_map(|(_, values)| values.iter().flatten());
        let most = all.copied().fold(f64::MIN_POSITIVE, f64::max);
        let mut y = HEAD;
        for (name, values) in &self.groups {
            write(name, (16, y), 13, &palette.ink)?;
            for (series, value) in Self::bars(values) {
                #[allow(clippy::cast_possible_truncation, reason = "a width in pixels")]
                let length = ((value / most * f64::from(LONGEST)).round() as i32).max(1);
                let colour = palette.of(&self.series[series]);
                let corners = [(LEFT, y), (LEFT + length, y + BAR)];
                area.draw(&Rectangle::new(corners, colour.filled()))?;
                write(&shown(value), (LEFT + length + 6, y + 1), 12, &palette.ink)?;
                y += BAR + 2;
            }
            y += GAP;
        }
        Ok(())
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
use plotters::backend::DrawingBackend as Backend;

/// Three digits are enough.
fn shown(value: f64) -> String {
    match value {
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = r#"{ "title": "Away", "unit": "seconds", "date": "2026-11-21",
        "machine": "2 cores",
        "series": ["native", "watch", "shell"],
        "groups": [{ "name": "move", "native": 0.22, "shell": 1.7 },
            { "name": "kill", "watch": 0.1, "shell": 2 }] }"#;

    #[test]
    fn every_value_has_a_bar_and_a_number() {
        let chart = Chart::parse(DATA).unwrap();
        let pictures = chart.pictures().unwrap();
        assert_eq!(pictures.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["light", "dark"]);
        for (_, svg) in &pictures {
            for text in ["Away", "move", "0.22", "1.70", "0.10", "2.00", "2026-11-21, 2 cores"] {
                assert!(svg.contains(text), "{text}: {svg}");
            }
            // The paper, the three colours of the legend, and four bars.
            assert_eq!(svg.matches("<rect").count(), 8, "{svg}");
        }
        assert_ne!(pictures[0].1, pictures[1].1);
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, lack) in [("{}", "series"), (r#"{"series": [], "groups": []}"#, "date")] {
            assert!(Chart::parse(text).unwrap_err().contains(lack));
        }
    }
}
