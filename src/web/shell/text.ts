const WIDE = new Intl.NumberFormat('en-GB')

/** `12,345`: positions and counts. */
export function count(n: number): string {
  return WIDE.format(n)
}

const two = (n: number): string => String(n).padStart(2, '0')

/** `2026-11-28 22:04:09`, of the reader's clock. */
export function dateTime(ms: number): string {
  const date = new Date(ms)
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clockTime(ms)}`
}

/** `22:04:09` */
export function clockTime(ms: number): string {
  const date = new Date(ms)
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** `now`, `12 s ago`, `3 min ago`, `5 h ago`, `2 d ago` */
export function ago(ms: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - ms) / 1000))
  if (seconds < 2) return 'now'
  if (seconds < 120) return `${seconds} s ago`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min ago`
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86_400)} d ago`
}
