import { MusterError } from '../../core/kernel/errors.ts'

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
