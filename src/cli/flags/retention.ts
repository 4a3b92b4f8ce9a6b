import { MusterError } from '../../core/kernel/errors.ts'
import { parseDuration, parseSize } from '../../core/kernel/units.ts'
import { timeOf } from './time.ts'

/** `--days 30` → 30 */
export function numberFlag(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isFinite(value) || value <= 0) throw new MusterError('USAGE', `--${name} ${JSON.stringify(text)} is no number above 0`)
  return value
}

/** `7d=1/10`, repeated, or `none`. */
export function thinFlag(texts: readonly string[] | undefined): { afterDays: number; keepOneIn: number }[] | undefined {
  if (texts === undefined) return undefined
  if (texts.length === 1 && texts[0] === 'none') return []
  return texts.map((text) => {
    const match = /^(\d+(?:\.\d+)?)d=1\/(\d+)$/.exec(text.replaceAll(' ', ''))
    if (!match)
      throw new MusterError('USAGE', `--thin ${JSON.stringify(text)} is no step of thinning`, {
        hint: 'Write 7d=1/10: from 7 days on, one row in ten.',
      })
    return { afterDays: Number(match[1]), keepOneIn: Number(match[2]) }
  })
}

/** `FROM..TO`, or how long before now. */
export function spanFlag(text: string, nowMs: number): { fromMs: number; toMs: number } {
  const ago = parseDuration(text)
  if (ago !== null) return { fromMs: nowMs - ago, toMs: nowMs }
  const [from, to, ...more] = text.split('..')
  if (from === undefined || to === undefined || more.length > 0)
    throw new MusterError('USAGE', `--span ${JSON.stringify(text)} is no span of time`, {
      hint: 'Write 6h, or 2026-11-02T09:00Z..2026-11-02T11:00Z.',
    })
  return { fromMs: timeOf(from, nowMs), toMs: timeOf(to, nowMs) }
}

/** `50MB/s` → bytes a second */
export function rateFlag(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const rate = parseSize(text.replace(/\/s$/, ''))
  if (rate === null || rate < 1) throw new MusterError('USAGE', `--rate ${JSON.stringify(text)} is no rate`, { hint: 'Write 50MB/s.' })
  return rate
}
