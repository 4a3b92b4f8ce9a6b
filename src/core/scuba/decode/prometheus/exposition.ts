import type { MusterError } from '../../../kernel/errors.ts'
import { DECODE } from '../limits.ts'
import { decoded, microsOfMillis, notReadable, RowList, type Decoded } from '../rows.ts'
import { addSample, seriesRow } from '../series.ts'

export interface ExpositionOptions {
  /** `text`: format 0.0.4, times in ms; `openmetrics`: 1.0.0, times in seconds and `# EOF` at the end */
  format: 'text' | 'openmetrics'
  /** of samples that say no time of their own, ms */
  atMs: number
  /** the target's: `job`, `instance` and what else stands for all its series; a sample's own one of that name becomes `exported_<name>` */
  labels: Readonly<Record<string, string>>
}

export interface Exposition extends Decoded {
  /** samples read */
  samples: number
  /** names and labels of the series, by their hash: what was there the last time and is not now has ended */
  series: Map<string, { name: string; labels: [string, string][] }>
}

const NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/y
const LABEL = /\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\\n]|\\.)*)"\s*(,?)/y
const VALUE = /[ \t]+([^\s#]+)(?:[ \t]+(-?[0-9.eE+-]+))?[ \t]*(#.*)?$/y
const TYPE = /^#[ \t]+TYPE[ \t]+(\S+)[ \t]+(\w+)[ \t]*$/

/**
 * Rows of `metrics` from a page of Prometheus' text format 0.0.4 or of OpenMetrics. The kind is that of the `# TYPE` line. A page is taken
 * whole or, with the number of the line and the byte, not at all. Exemplars are passed over.
 */
export function decodeExposition(text: string, options: ExpositionOptions): Exposition | MusterError {
  const rows = new RowList()
  const series: Exposition['series'] = new Map()
  const kinds = new Map<string, string>()
  let samples = 0
  let isEnded = false
  const read = decoded(() => {
    let at = 0
    for (let line = 1; at < text.length; line += 1) {
      const end = text.indexOf('\n', at)
      const stop = end < 0 ? text.length : end
      const source = text.slice(at, text.charCodeAt(stop - 1) === 13 ? stop - 1 : stop)
      const wrong = isEnded && source !== '' ? 'text after # EOF' : take(source)
      if (wrong !== null) return notReadable('an exposition', byteOf(text, at), `line ${line}: ${wrong}`)
      at = stop + 1
    }
    if (options.format === 'openmetrics' && !isEnded)
      return notReadable('an exposition', byteOf(text, text.length), 'the last line is not # EOF')
    return rows.into('metrics')
  })

  /** @returns what is wrong with the line, or null */
  function take(source: string): string | null {
    if (source.startsWith('#')) {
      if (options.format === 'openmetrics' && source === '# EOF') isEnded = true
      const type = TYPE.exec(source)
      if (type !== null) kinds.set(type[1] as string, type[2] as string)
      return null
    }
    if (source.trim() === '') return null
    const sample = sampleOf(source)
    if (typeof sample === 'string') return sample
    samples += 1
    if (samples > DECODE.itemsMax) return `more than ${DECODE.itemsMax} samples`
    const labels = withTarget(sample.labels, options.labels)
    const factor = options.format === 'openmetrics' ? 1000 : 1
    const timeUs = microsOfMillis(sample.time === null ? options.atMs : sample.time * factor)
    if (timeUs === null) return `${sample.time} is no time`
    const row = seriesRow(sample.name, labels)
    series.set(String(row['series']), { name: sample.name, labels })
    addSample(rows, row, timeUs, kindOf(sample.name, kinds), sample.value, false)
    return null
  }

  return 'lines' in read ? { ...read, samples, series } : read
}

interface SampleLine {
  name: string
  labels: [string, string][]
  value: number
  time: number | null
}

function sampleOf(source: string): SampleLine | string {
  NAME.lastIndex = 0
  const name = NAME.exec(source)?.[0]
  if (name === undefined) return 'it does not begin with the name of a metric'
  let at = NAME.lastIndex
  const labels: [string, string][] = []
  if (source[at] === '{') {
    at += 1
    for (let isMore = true; isMore;) {
      LABEL.lastIndex = at
      const label = LABEL.exec(source)
      if (label === null) break
      if (labels.length >= DECODE.labelsMax) return `more than ${DECODE.labelsMax} labels`
      if (labels.some(([key]) => key === label[1])) return `the label ${label[1]} stands there twice`
      labels.push([label[1] as string, unescaped(label[2] as string)])
      at = LABEL.lastIndex
      isMore = label[3] === ','
    }
    while (source[at] === ' ' || source[at] === '\t') at += 1
    if (source[at] !== '}') return 'its labels do not end'
    at += 1
    // Between the brace and the value a space may be missing.
    if (source[at] !== ' ' && source[at] !== '\t') {
      source = `${source.slice(0, at)} ${source.slice(at)}`
    }
  }
  VALUE.lastIndex = at
  const rest = VALUE.exec(source)
  if (rest === null) return 'it has no value, or something behind it'
  const value = numberOf(rest[1] as string)
  if (value === null) return `${JSON.stringify((rest[1] as string).slice(0, 40))} is no number`
  const time = rest[2] === undefined ? null : numberOf(rest[2])
  if (rest[2] !== undefined && time === null) return `${JSON.stringify(rest[2].slice(0, 40))} is no time`
  return { name, labels, value, time }
}

const unescaped = (text: string): string =>
  text.includes('\\') ? text.replaceAll(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char)) : text

const WORDS: Record<string, number> = { nan: Number.NaN, inf: Infinity, '+inf': Infinity, '-inf': -Infinity }

/** As Go's ParseFloat has it, without its hex forms and underscores. */
function numberOf(text: string): number | null {
  const word = WORDS[text.toLowerCase().replace('infinity', 'inf')]
  if (word !== undefined) return word
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : null
}

function withTarget(own: readonly [string, string][], target: Readonly<Record<string, string>>): [string, string][] {
  const labels = own.map(([key, value]): [string, string] => [key in target ? `exported_${key}` : key, value])
  // An empty label is none.
  return [...labels, ...Object.entries(target)].filter(([, value]) => value !== '')
}

const SUFFIX = /_(?:total|created|bucket|sum|count|info)$/

const kindOf = (name: string, kinds: ReadonlyMap<string, string>): string =>
  kinds.get(name) ?? kinds.get(name.replace(SUFFIX, '')) ?? 'untyped'

const byteOf = (text: string, at: number): number => new TextEncoder().encode(text.slice(0, at)).length
