/** How far the window of a list has to move so that the cursor is in it. */
export function windowTop(top: number, cursor: number, height: number, rows: number): number {
  const least = Math.max(0, cursor - height + 1)
  const most = Math.max(0, Math.min(cursor, rows - height))
  return Math.min(Math.max(top, least), Math.max(least, most))
}

export const HELP = [
  'j k ↑ ↓        move            g G   first, last',
  'enter →        go in: job → tasks → task; rack → nodes → node → tasks',
  'esc h ←        back',
  'tab            jobs, racks, hot nodes, owners; also :jobs :racks :hot :owners',
  'e              explain: why is it not placed, why is it there',
  'l              logs of the job or task, as they are written',
  's              a shell beside the task; its end leads back here',
  '/              filter: only what has this in its name; esc ends it',
  ':q q           out',
  '',
  'A cell of the map is a node, a rack or some racks; its shade is how much of the',
  'fuller of cpu and memory is reserved.',
  'stranded: free where less of the other is left than the mean task asks for.',
  'pending: wanted and nowhere. old: of a version nobody wants, or stopping.',
  '',
]
