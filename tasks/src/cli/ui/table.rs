//! Columns.

use console::{Alignment, measure_text_width, pad_str};

use super::text;

/// Rows of plain text under a header, each column as wide as it must be.
#[derive(Debug)]
pub(in crate::cli) struct Table {
    rows: Vec<Vec<String>>,
    right: Vec<usize>,
}

impl Table {
    pub(in crate::cli) fn new(header: &[&str]) -> Self {
        Self {
            rows: vec![header.iter().map(|&cell| cell.to_owned()).collect()],
            right: Vec::new(),
        }
    }

    /// Aligns a column to the right.
    pub(in crate::cli) fn right(mut self, column: usize) -> Self {
        self.right.push(column);
        self
    }

    /// Adds a row, of data: nothing in it is taken as an escape.
    pub(in crate::cli) fn row(&mut self, cells: &[String]) {
        self.rows
            .push(cells.iter().map(|cell| text::plain(cell)).collect());
    }

    /// The lines, two spaces between columns, none at the end.
    pub(in crate::cli) fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells
                    .map(|cell| measure_text_width(cell))
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let line = |row: &Vec<String>| {
            let cells: Vec<_> = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, width))| {
                    let side = if self.right.contains(&column) {
                        Alignment::Right
                    } else {
                        Alignment::Left
                    };
                    pad_str(cell, *width, side, None)
                })
                .collect();
            cells.join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["ID", "DONE", "STEP"]).right(1);
        table.row(&["op-1".into(), "5%".into(), "größe".into()]);
        table.row(&["op-22".into(), "100%".into(), "漢字\x1b[m".into()]);
        assert_eq!(
            table.lines(),
            [
                "ID     DONE  STEP",
                "op-1     5%  größe",
                "op-22  100%  漢字\\u{1b}[m",
            ]
        );
    }
}
