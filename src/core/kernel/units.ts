/** Parsing and printing of durations, sizes, shares and cpu. Durations are integer milliseconds everywhere. */

const DURATION_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const
const SIZE_BYTES = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const

/** `"1h30m"` → 5,400,000; null if the text is not a duration (a number without a unit is not). */
export function parseDuration(text: string): number | null {
  const part = /(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/gy
  let totalMs = 0
  let end = 0
  for (let match = part.exec(text); match; match = part.exec(text)) {
    totalMs += Number(match[1]) * DURATION_MS[match[2] as keyof typeof DURATION_MS]
    end = part.lastIndex
  }
  return end > 0 && end === text.length ? Math.round(totalMs) : null
}

/** 5,400,000 → `"1h30m"`: two units at most, so that it stays short. */
export function formatDuration(ms: number): string {
  if (ms < 0) return `-${formatDuration(-ms)}`
  if (ms < 1000) return `${Math.round(ms)}ms`
  if (ms < 10_000) return `${Number((ms / 1000).toFixed(1))}s`
  const parts: string[] = []
  let rest = Math.round(ms / 1000)
  for (const [unit, seconds] of [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
    ['s', 1],
  ] as const) {
    const count = Math.floor(rest / seconds)
    rest -= count * seconds
    if (count > 0) parts.push(`${count}${unit}`)
    if (parts.length === 2) break
  }
  return parts.join('')
}

/** `"256MiB"` → 268,435,456; null if the text is not a size. */
export function parseSize(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$/.exec(text)
  return match ? Math.round(Number(match[1]) * SIZE_BYTES[match[2] as keyof typeof SIZE_BYTES]) : null
}

export function formatSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 ? value : Number(value.toFixed(1))}${units[unit]}`
}

/** `"500m"` → 500, `"2"` or `2` → 2000 (thousandths of a core); null if it is not an amount of cpu. */
export function parseCpu(text: string | number): number | null {
  const match = /^(\d+(?:\.\d+)?)(m?)$/.exec(String(text))
  if (!match) return null
  return Math.round(Number(match[1]) * (match[2] === 'm' ? 1 : 1000))
}

/** `"0.1%"` → 1,000 parts per million; null if the text is not a share between 0 and 100 %. */
export function parseShare(text: string | number): number | null {
  const match = /^(\d+(?:\.\d+)?)%$/.exec(String(text).replaceAll(' ', ''))
  if (!match) return null
  const ppm = Math.round(Number(match[1]) * 10_000)
  return ppm <= 1_000_000 ? ppm : null
}

/** 1,000 parts per million → `"0.1 %"`. */
export function formatShare(ppm: number): string {
  return `${Number((ppm / 10_000).toFixed(4))} %`
}
