import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Figure } from './lib/figure.ts'
import { renderFigures } from './lib/print.ts'

/**
 * `npm run bench -- NAME [PART…]… [--json]`: runs bench/NAME.ts, which exports `run(parts)` giving figures, as a list or one by one;
 * `parts` are those it has, of which it runs all when none is named; `--nodes F --tasks F --seed N` go to those that take lists.
 * Prints a table, or one JSON line a figure. Exit code 7 when a target was missed. Without a name: lists them.
 */
interface Options {
  nodes?: string | undefined
  tasks?: string | undefined
  seed?: string | undefined
}
interface Bench {
  run: (parts?: readonly string[], options?: Options) => AsyncIterable<Figure> | Promise<Figure[]>
  parts?: readonly string[]
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    nodes: { type: 'string' },
    tasks: { type: 'string' },
    seed: { type: 'string' },
  },
})
const known = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.ts') && name !== 'run.ts')
  .map((name) => name.slice(0, -3))
  .sort()

const wanted: { bench: Bench; parts: string[] }[] = []
for (const name of positionals) {
  const last = wanted.at(-1)
  if (last?.bench.parts?.includes(name)) last.parts.push(name)
  else if (known.includes(name)) wanted.push({ bench: (await import(join(import.meta.dirname, `${name}.ts`))) as Bench, parts: [] })
  else usage(`No benchmark ${name}${last?.bench.parts === undefined ? '' : `, and no part; parts: ${last.bench.parts.join(', ')}`}. `)
}
if (wanted.length === 0) usage('')

function usage(complaint: string): never {
  process.stderr.write(`${complaint}Benchmarks: ${known.join(', ')}\n`)
  process.exit(2)
}

async function* figuresFrom(bench: Bench, parts: readonly string[]): AsyncGenerator<Figure> {
  const result = bench.run(parts.length === 0 ? bench.parts : parts, values)
  if (Symbol.asyncIterator in result) yield* result
  else yield* await result
}

// Cut off: what it started ends with it.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  process.once(signal, () => process.exit(code))

const figures: Figure[] = []
for (const { bench, parts } of wanted) {
  for await (const figure of figuresFrom(bench, parts)) {
    figures.push(figure)
    if (values.json) process.stdout.write(`${JSON.stringify(figure)}\n`)
    // As they come: a run that is cut off has said what it had.
    else process.stderr.write(`${figure.metric}: ${figure.value} ${figure.unit}${figure.ok ? '' : ', missed'}\n`)
  }
}
if (!values.json) process.stdout.write(`${renderFigures(figures)}\n`)
process.exitCode = figures.every((figure) => figure.ok) ? 0 : 7
