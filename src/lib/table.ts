/**
 * Aligned columns as kubectl prints them: three spaces between, no space at the end of a line, a new line after each
 * row. The first row is the heading.
 */
export function renderTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, widthOf(cell))
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : cell + ' '.repeat(widths[i]! - widthOf(cell) + 3)))
      .join('')
      .trimEnd()
  return rows.map((row) => `${line(row)}\n`).join('')
}

const widthOf = (cell: string) => [...cell].length
