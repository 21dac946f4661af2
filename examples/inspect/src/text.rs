//! A report for a terminal.

use std::fmt::Write;

use crate::occupancy::{Kind, Occupancy, grouped};
use crate::report::Report;

/// Cells of a bar.
const WIDTH: u64 = 64;

/// What a bar is drawn with.
#[derive(Clone, Copy)]
pub(crate) enum Style {
    Ascii,
    Blocks,
}

impl Style {
    fn cell(self, kind: Kind) -> char {
        match (self, kind) {
            (Self::Ascii, Kind::InUse) => '#',
            (Self::Ascii, Kind::Stranded) => 'x',
            (Self::Ascii, Kind::UsedBefore) => '-',
            (Self::Ascii, Kind::NeverUsed) => '.',
            (Self::Blocks, Kind::InUse) => '█',
            (Self::Blocks, Kind::Stranded) => '▓',
            (Self::Blocks, Kind::UsedBefore) => '▒',
            (Self::Blocks, Kind::NeverUsed) => '░',
        }
    }
}

pub(crate) fn draw(report: &Report, style: Style) -> String {
    let mut text = String::new();
    write(&mut text, report, style).expect("a string takes all text");
    text
}

fn write(text: &mut String, report: &Report, style: Style) -> std::fmt::Result {
    let Report { file, header, stats, roots } = report;
    writeln!(text, "{file}\n{stats}\n")?;
    writeln!(text, "  magic        {}", header.magic)?;
    writeln!(text, "  version      {}", header.version)?;
    writeln!(text, "  flags        {:#010x}", header.flags)?;
    writeln!(text, "  capacity     {:>13} bytes, 128 of them the header\n", grouped(header.capacity))?;

    let occupancy = Occupancy::of(stats);
    let bar = Kind::ALL.iter().zip(occupancy.widths(WIDTH));
    let bar = bar.map(|(&kind, cells)| style.cell(kind).to_string().repeat(cells as usize));
    writeln!(text, "  [{}]", bar.collect::<String>())?;
    writeln!(text, "   {}\n", marks(report, &occupancy))?;
    for kind in Kind::ALL {
        let bytes = occupancy.bytes(kind);
        let percent = 100.0 * bytes as f64 / occupancy.total() as f64;
        let (name, cell, meaning) = (kind.name(), style.cell(kind), kind.meaning());
        writeln!(text, "  {cell} {name:<11}{:>13} bytes {percent:5.1} %  {meaning}", grouped(bytes))?;
    }
    text.push('\n');
    for (name, bytes) in [("used", stats.used), ("remaining", stats.remaining), ("high water", stats.high_water)] {
        writeln!(text, "  {name:<13}{:>13} bytes", grouped(bytes as u64))?;
    }
    text.push('\n');
    for (slot, root) in roots.iter().enumerate() {
        match root {
            Some(root) => {
                let (size, offset) = (grouped(root.size.into()), grouped(root.offset.into()));
                writeln!(
                    text,
                    "  root {slot}       {size:>13} bytes at offset {offset}, address {:#018x}",
                    root.address
                )?;
            }
            None => writeln!(text, "  root {slot}       {:>13}", "none")?,
        }
    }
    Ok(())
}

/// Where the roots lie, each by its number; of several in one cell, the first.
fn marks(report: &Report, occupancy: &Occupancy) -> String {
    let mut marks = [' '; WIDTH as usize];
    for (root, number) in report.roots.iter().zip(['0', '1', '2', '3']) {
        let cell = root.map(|root| occupancy.mark(root, WIDTH) as usize);
        if let Some(mark) = cell.and_then(|cell| marks.get_mut(cell)).filter(|mark| **mark == ' ') {
            *mark = number;
        }
    }
    marks.iter().collect::<String>().trim_end().into()
}
