/** How far the window of a list has to move so that the cursor is in it. */
export function windowTop(top: number, cursor: number, height: number, rows: number): number {
  const least = Math.max(0, cursor - height + 1)
  const most = Math.max(0, Math.min(cursor, rows - height))
  return Math.min(Math.max(top, least), Math.max(least, most))
}
