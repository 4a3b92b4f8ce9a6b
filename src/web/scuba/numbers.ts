const UNITS = ['', 'k', 'M', 'G', 'T', 'P'] as const

/** `0`, `0.042`, `12.3`, `1.2k`, `34M`: three digits that count. */
export function short(value: number): string {
  const size = Math.abs(value)
  if (size < 1000) return plain(value)
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(size) / 3))
  return `${plain(value / 1000 ** power)}${UNITS[power]}`
}

function plain(value: number): string {
  if (value === 0) return '0'
  const size = Math.abs(value)
  if (size >= 100) return value.toFixed(0)
  if (size < 0.0005) return value.toExponential(1)
  return String(Number(value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3)))
}

type Unit = 'share' | 'ms' | 'bytes' | 'number'

/** Of what a calculation's values are: `p99:latency_ms` of milliseconds, `ratio(…)` of shares. */
export function unitOf(calc: string): Unit {
  if (calc.startsWith('ratio(')) return 'share'
  const [kind, column] = [calc.slice(0, calc.indexOf(':')), calc.slice(calc.indexOf(':') + 1)]
  if (!calc.includes(':') || kind === 'distinct') return 'number'
  if (/(^|_)ms$/.test(column)) return 'ms'
  return /(^|_)bytes$/.test(column) ? 'bytes' : 'number'
}

/** A value of a calculation as people read it; `–` where there is none. */
export function valueText(value: number | null | undefined, calc: string): string {
  if (value === null || value === undefined) return '–'
  switch (unitOf(calc)) {
    case 'share':
      return `${short(value * 100)} %`
    case 'ms':
      return milliseconds(value)
    case 'bytes':
      return `${short(value)}B`
    case 'number':
      return short(value)
  }
}

export function milliseconds(value: number): string {
  if (Math.abs(value) < 1000) return `${plain(value)} ms`
  if (value < 120_000) return `${plain(value / 1000)} s`
  if (value < 7_200_000) return `${plain(value / 60_000)} min`
  return value < 172_800_000 ? `${plain(value / 3_600_000)} h` : `${plain(value / 86_400_000)} d`
}

/** `+12 %`, `−3 %`, `new`: how a value stands to the earlier one. */
export function changeText(now: number | null | undefined, before: number | null | undefined): string {
  if (now === null || now === undefined || before === null || before === undefined) return '–'
  if (before === 0) return now === 0 ? '0 %' : 'new'
  const change = (now - before) / Math.abs(before)
  return `${change < 0 ? '−' : '+'}${short(Math.abs(change) * 100)} %`
}
