//! A report as a picture.

use svg::Document;
use svg::node::element::{Group, Rectangle, Style, Text, Title};

use crate::occupancy::{Kind, Occupancy, grouped};
use crate::report::Report;

const WIDTH: u64 = 720;
const MARGIN: u64 = 24;
const BAR_WIDTH: u64 = WIDTH - 2 * MARGIN;
const BAR_TOP: u64 = 84;
const BAR_HEIGHT: u64 = 40;
/// From line to line of the text.
const LINE: u64 = 24;
/// Where the numbers end, and what stands behind them begins.
const NUMBERS: u64 = 250;
/// Roots closer than this cannot both have their number.
const MARK: u64 = 10;

/// The picture paints its own ground, so that it reads on any page, and takes the colours that the
/// reader's system prefers.
const STYLE: &str = "
.ground { fill: #ffffff; stroke: #d1d5db; }
text { fill: #1f2937; font: 14px system-ui, sans-serif; }
.title { font-size: 17px; font-weight: 600; }
.number { text-anchor: end; font-variant-numeric: tabular-nums; }
.quiet { fill: #4b5563; }
.mark { fill: #1f2937; }
.in-use { fill: #1d4ed8; }
.stranded { fill: #d97706; }
.used-before { fill: #93c5fd; }
.never-used { fill: #d1d5db; }
@media (prefers-color-scheme: dark) {
  .ground { fill: #111827; stroke: #4b5563; }
  text { fill: #f3f4f6; }
  .quiet { fill: #d1d5db; }
  .mark { fill: #f3f4f6; }
  .in-use { fill: #60a5fa; }
  .stranded { fill: #fbbf24; }
  .used-before { fill: #1e4fa8; }
  .never-used { fill: #374151; }
}
";

pub(crate) fn draw(report: &Report) -> String {
    let occupancy = Occupancy::of(&report.stats);
    let legend_top = BAR_TOP + BAR_HEIGHT + 2 * LINE;
    let roots_top = legend_top + 4 * LINE + LINE / 2;
    let height = roots_top + 4 * LINE;
    let ground = Rectangle::new().set("class", "ground").set("x", 1).set("y", 1).set("rx", 8);
    let ground = ground.set("width", WIDTH - 2).set("height", height - 2);
    let summary = format!(
        "{} bytes, layout version {}, flags {:#x}; high water {}",
        grouped(report.header.capacity),
        report.header.version,
        report.header.flags,
        grouped(report.stats.high_water as u64)
    );
    // A path can be longer than the picture is wide.
    let name = report.file.rsplit('/').next().unwrap_or_default();
    Document::new()
        .set("viewBox", (0, 0, WIDTH, height))
        .set("width", WIDTH)
        .set("height", height)
        .set("role", "img")
        .add(Title::new(characters(&format!("{}: {}", report.file, report.stats))))
        .add(Style::new(STYLE))
        .add(ground)
        .add(line("title", MARGIN, 36, name))
        .add(line("quiet", MARGIN, 60, &summary))
        .add(bar(&occupancy))
        .add(marks(report, &occupancy))
        .add(legend(&occupancy, legend_top))
        .add(roots(report, roots_top))
        .to_string()
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::InUse => "in-use",
        Kind::Stranded => "stranded",
        Kind::UsedBefore => "used-before",
        Kind::NeverUsed => "never-used",
    }
}

fn line(class: &str, x: u64, y: u64, text: &str) -> Text {
    Text::new(characters(text)).set("class", class).set("x", x).set("y", y)
}

/// Replaces the two characters that are no control characters and that XML has no form for either.
fn characters(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

fn bar(occupancy: &Occupancy) -> Group {
    let mut bar = Group::new();
    let mut x = MARGIN;
    for (kind, width) in Kind::ALL.into_iter().zip(occupancy.widths(BAR_WIDTH)) {
        let run = Rectangle::new().set("class", class(kind)).set("x", x).set("y", BAR_TOP);
        bar = bar.add(run.set("width", width).set("height", BAR_HEIGHT));
        x += width;
    }
    bar
}

/// A stroke under the bar where what a root names begins, and the root's number if there is room.
fn marks(report: &Report, occupancy: &Occupancy) -> Group {
    let mut marks = Group::new();
    let mut numbered: Vec<u64> = Vec::new();
    let y = BAR_TOP + BAR_HEIGHT;
    for (slot, root) in report.roots.iter().enumerate() {
        let Some(root) = root else { continue };
        let x = MARGIN + occupancy.mark(*root, BAR_WIDTH);
        let stroke = Rectangle::new().set("class", "mark").set("x", x).set("y", y);
        marks = marks.add(stroke.set("width", 1).set("height", 6));
        if numbered.iter().all(|other| other.abs_diff(x) >= MARK) {
            let number = Text::new(slot.to_string()).set("x", x).set("y", y + 20).set("text-anchor", "middle");
            marks = marks.add(number);
            numbered.push(x);
        }
    }
    marks
}

fn legend(occupancy: &Occupancy, top: u64) -> Group {
    let mut legend = Group::new();
    for (kind, index) in Kind::ALL.into_iter().zip(0..) {
        let y = top + index * LINE;
        let bytes = occupancy.bytes(kind);
        let percent = 100.0 * bytes as f64 / occupancy.total() as f64;
        let swatch = Rectangle::new().set("class", class(kind)).set("x", MARGIN).set("y", y - 12);
        legend = legend
            .add(swatch.set("width", 14).set("height", 14))
            .add(line("name", MARGIN + LINE, y, kind.name()))
            .add(line("number", NUMBERS, y, &format!("{} bytes", grouped(bytes))))
            .add(line("number", NUMBERS + 70, y, &format!("{percent:.1} %")))
            .add(line("quiet", NUMBERS + 94, y, kind.meaning()));
    }
    legend
}

fn roots(report: &Report, top: u64) -> Group {
    let mut roots = Group::new();
    for ((slot, root), index) in report.roots.iter().enumerate().zip(0..) {
        let y = top + index * LINE;
        roots = roots.add(line("name", MARGIN + LINE, y, &format!("root {slot}")));
        let (size, place) = match root {
            Some(root) => (
                format!("{} bytes", grouped(root.size.into())),
                format!("at offset {}, address {:#018x}", grouped(root.offset.into()), root.address),
            ),
            None => ("none".into(), String::new()),
        };
        roots = roots.add(line("number", NUMBERS, y, &size)).add(line("quiet", NUMBERS + 24, y, &place));
    }
    roots
}
