//! The results as SVG that is readable on light and on dark pages.

use std::error::Error;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::machine;
use crate::report::Result;
use crate::works::{SCALING_CONTENDERS, scaling_entry_name};

/// Text and axes.
const INK: RGBColor = RGBColor(76, 84, 93);
/// marena's.
const OURS: RGBColor = RGBColor(214, 96, 40);
/// Everyone else's bar.
const THEIRS: RGBColor = RGBColor(92, 140, 190);
/// Everyone else's lines.
const LINES: [RGBColor; 8] = [
    RGBColor(92, 140, 190),
    RGBColor(72, 160, 112),
    RGBColor(160, 112, 190),
    RGBColor(190, 150, 60),
    RGBColor(80, 165, 175),
    RGBColor(200, 105, 145),
    RGBColor(140, 150, 90),
    RGBColor(140, 120, 110),
];

/// The ground, and what the ink is on a dark page. Text on either has a contrast of 7:1 or more.
const GROUND: &str = "<style>@media (prefers-color-scheme: dark) { .ground { fill: #0d1117 } \
[fill=\"#4C545D\"] { fill: #c9d1d9 } [stroke=\"#4C545D\"] { stroke: #c9d1d9 } }</style>
<rect class=\"ground\" width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>
";

type Plot = std::result::Result<String, Box<dyn Error>>;

/// File names and images.
pub fn all(results: &[Result]) -> std::result::Result<Vec<(String, String)>, Box<dyn Error>> {
    let mut images = Vec::new();
    for result in results {
        let image = if result.id == "scaling" { lines(result)? } else { bars(result)? };
        images.push((format!("{}.svg", result.id), grounded(&image)));
    }
    Ok(images)
}

/// The image with a ground.
fn grounded(image: &str) -> String {
    match image.split_once(">\n") {
        Some((head, rest)) => format!("{head}>\n{GROUND}{rest}"),
        None => image.to_owned(),
    }
}

fn text(size: i32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

/// A bar for each contender.
fn bars(result: &Result) -> Plot {
    const ROW: i32 = 26;
    const TOP: i32 = 44;
    const LABELS: i32 = 210;
    const WIDTH: i32 = 760;
    let height = TOP + ROW * result.entries.len() as i32 + 12;
    let longest = result.entries.iter().map(|(_, figures)| figures.median()).fold(f64::MIN_POSITIVE, f64::max);
    let mut image = String::new();
    {
        let root = SVGBackend::with_string(&mut image, (WIDTH as u32, height as u32)).into_drawing_area();
        root.draw(&Text::new(format!("{}: ns per {}", result.title, result.unit), (12, 12), text(17)))?;
        for (index, (name, figures)) in result.entries.iter().enumerate() {
            let top = TOP + ROW * index as i32;
            let figure = figures.median();
            let length = (figure / longest * f64::from(WIDTH - LABELS - 80)) as i32;
            let colour = if is_ours(name) { OURS } else { THEIRS };
            let middle = top + ROW / 2 - 2;
            let right = text(14).pos(Pos::new(HPos::Right, VPos::Center));
            let left = text(14).pos(Pos::new(HPos::Left, VPos::Center));
            root.draw(&Text::new(name.clone(), (LABELS - 10, middle), right))?;
            root.draw(&Rectangle::new([(LABELS, top), (LABELS + length.max(1), top + ROW - 6)], colour.filled()))?;
            root.draw(&Text::new(format!("{figure:.2}"), (LABELS + length + 8, middle), left))?;
        }
        root.present()?;
    }
    Ok(image)
}

fn is_ours(name: &str) -> bool {
    name.starts_with("marena") || name.starts_with("allocate_multiple")
}

/// Throughput over threads.
fn lines(result: &Result) -> Plot {
    const WIDTH: i32 = 760;
    const LEGEND: i32 = 180;
    let counts = machine::thread_counts();
    // Each count is one step to the right, so a doubling is, too.
    let throughput = |contender: &str, step: usize| {
        let figures = result.figures(&scaling_entry_name(contender, counts[step]))?;
        // A block every nanosecond is a thousand a microsecond.
        Some((step as f64, 1000.0 / figures.median()))
    };
    let points: Vec<(&str, Vec<_>)> = SCALING_CONTENDERS
        .iter()
        .map(|name| (*name, (0..counts.len()).filter_map(|step| throughput(name, step)).collect()))
        .collect();
    let rates = || points.iter().flat_map(|(_, line)| line).map(|point| point.1);
    let (least, most) = (rates().fold(f64::MAX, f64::min), rates().fold(1.0, f64::max));
    let mut image = String::new();
    {
        let root = SVGBackend::with_string(&mut image, (WIDTH as u32, 460)).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .caption("24 B, million blocks per second of all threads, logarithmic", text(17))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(56)
            .margin_right(LEGEND)
            .build_cartesian_2d(-0.1..counts.len() as f64 - 0.9, (least * 0.8..most * 1.25).log_scale())?;
        chart
            .configure_mesh()
            .disable_mesh()
            .axis_style(INK)
            .label_style(text(14))
            .x_labels(counts.len())
            .x_label_formatter(&|step| counts.get(step.round() as usize).map_or_else(String::new, ToString::to_string))
            .y_label_formatter(&|rate| format!("{rate:.0}"))
            .x_desc("threads")
            .draw()?;
        let mut colours = LINES.iter();
        for (index, (name, line)) in points.iter().enumerate() {
            let colour = if is_ours(name) { OURS } else { *colours.next().unwrap_or(&INK) };
            // marena's two lines: the thick one is the lease.
            let style = colour.stroke_width(if index == 0 { 4 } else { 2 });
            chart.draw_series(LineSeries::new(line.iter().copied(), style))?;
            chart.draw_series(line.iter().map(|&point| Circle::new(point, 3, colour.filled())))?;
            let (left, middle) = (WIDTH - LEGEND + 12, 52 + 22 * index as i32);
            root.draw(&PathElement::new([(left, middle), (left + 20, middle)], style))?;
            let beside = text(13).pos(Pos::new(HPos::Left, VPos::Center));
            root.draw(&Text::new(*name, (left + 28, middle), beside))?;
        }
        root.present()?;
    }
    Ok(image)
}
