import type { Histogram } from '../../core/delos/measure/histogram.ts'

export type Labels = Readonly<Record<string, string>>

/** Prometheus' text format (0.0.4), built up. */
export class MetricsText {
  readonly #lines: string[] = []

  gauge(name: string, help: string, value: number): void {
    this.many(name, 'gauge', help, [[{}, value]])
  }

  counter(name: string, help: string, value: number): void {
    this.many(name, 'counter', help, [[{}, value]])
  }

  many(name: string, kind: 'gauge' | 'counter', help: string, values: readonly (readonly [Labels, number])[]): void {
    if (values.length === 0) return
    this.#lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`)
    for (const [labels, value] of values) this.#lines.push(`${name}${labelText(labels)} ${value}`)
  }

  histogram(name: string, help: string, histogram: Histogram, boundsS: readonly number[]): void {
    this.histograms(name, help, [[{}, histogram]], boundsS)
  }

  histograms(name: string, help: string, values: readonly (readonly [Labels, Histogram])[], boundsS: readonly number[]): void {
    if (values.length === 0) return
    this.#lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} histogram`)
    for (const [labels, histogram] of values) {
      const counts = histogram.cumulative(boundsS)
      const bucket = (le: string, count: number): unknown => this.#lines.push(`${name}_bucket${labelText({ ...labels, le })} ${count}`)
      for (const [i, bound] of boundsS.entries()) bucket(String(Number(bound.toPrecision(6))), counts[i] ?? 0)
      bucket('+Inf', histogram.count)
      this.#lines.push(`${name}_sum${labelText(labels)} ${histogram.sumS}`, `${name}_count${labelText(labels)} ${histogram.count}`)
    }
  }

  /** Recent median and 99th percentile as two gauges, `…_p50` and `…_p99`; left out while nothing happens. */
  quantiles(name: string, help: string, histogram: Histogram): void {
    for (const [suffix, share] of [
      ['p50', 0.5],
      ['p99', 0.99],
    ] as const) {
      const value = histogram.recentQuantile(share)
      if (value !== null) this.gauge(`${name}_${suffix}`, `${help} ${suffix} of the last seconds.`, value)
    }
  }

  toString(): string {
    return `${this.#lines.join('\n')}\n`
  }
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

const escaped = (text: string): string =>
  text
    .replaceAll('\\', String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
    .replaceAll('\n', String.raw`\n`)
