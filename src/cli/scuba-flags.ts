import { MusterError } from '../core/kernel/errors.ts'
import { parseDuration } from '../core/kernel/units.ts'

/** `--since`, `--until`: `1h` (ago) or a time as ISO 8601; ms since the epoch. */
export function timeFlag(name: string, text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined
  const ago = parseDuration(text)
  if (ago !== null) return nowMs - ago
  const at = /^\d{4}-/.test(text) ? Date.parse(text) : NaN
  if (Number.isNaN(at))
    throw new MusterError('USAGE', `--${name} ${JSON.stringify(text)} is neither a duration nor a time`, {
      hint: 'Write 15m, 2h or 2026-01-31T12:00:00Z.',
    })
  return at
}

/** `--step`, `--deadline`: a duration in ms. */
export function durationFlag(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = parseDuration(text)
  if (ms === null || ms <= 0)
    throw new MusterError('USAGE', `--${name} ${JSON.stringify(text)} is no duration`, { hint: 'Write 5s or 1m.' })
  return ms
}

/** `--param k=v`, repeated; what reads as a number or a boolean is one. */
export function paramsFlag(pairs: readonly string[] | undefined): Record<string, string | number | boolean> | undefined {
  if (!pairs || pairs.length === 0) return undefined
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) throw new MusterError('USAGE', `--param ${JSON.stringify(pair)} is not of the form NAME=VALUE`)
      const value = pair.slice(at + 1)
      if (value === 'true' || value === 'false') return [pair.slice(0, at), value === 'true']
      return [
        pair.slice(0, at),
        /^-?(0|[1-9]\d*)(\.\d+)?$/.test(value) && Number.isSafeInteger(Math.trunc(Number(value))) ? Number(value) : value,
      ]
    }),
  )
}

/** Comma lists, given once or repeated; commas in brackets belong to their expression. */
export function listFlag(texts: readonly string[] | undefined): string[] {
  return (texts ?? []).flatMap((text) => {
    const parts: string[] = []
    let depth = 0
    let part = ''
    for (const char of text) {
      if (char === '(') depth += 1
      if (char === ')') depth -= 1
      if (char === ',' && depth === 0) {
        parts.push(part)
        part = ''
      } else part += char
    }
    return [...parts, part].map((item) => item.trim()).filter((item) => item !== '')
  })
}
