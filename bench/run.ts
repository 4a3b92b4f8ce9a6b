import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Figure } from './lib/figure.ts'
import { renderFigures } from './lib/print.ts'

/**
 * `npm run bench -- NAME… [--json]`: runs bench/NAME.ts, which exports `run()` giving figures, as a list or one by one.
 * Prints a table, or one JSON line a figure. Exit code 7 when a target was missed. Without a name: lists them.
 */
interface Bench {
  run: () => AsyncIterable<Figure> | Promise<Figure[]>
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean', default: false } } })
const known = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.ts') && name !== 'run.ts')
  .map((name) => name.slice(0, -3))
  .sort()

const unknown = positionals.filter((name) => !known.includes(name))
if (positionals.length === 0 || unknown.length > 0) {
  process.stderr.write(`${unknown.length > 0 ? `No benchmark ${unknown.join(', ')}. ` : ''}Benchmarks: ${known.join(', ')}\n`)
  process.exit(2)
}

async function* figuresFrom(bench: Bench): AsyncGenerator<Figure> {
  const result = bench.run()
  if (Symbol.asyncIterator in result) yield* result
  else yield* await result
}

const figures: Figure[] = []
for (const name of positionals) {
  const bench = (await import(join(import.meta.dirname, `${name}.ts`))) as Bench
  for await (const figure of figuresFrom(bench)) {
    figures.push(figure)
    if (values.json) process.stdout.write(`${JSON.stringify(figure)}\n`)
    else if (process.stderr.isTTY) process.stderr.write(`${figure.metric}: ${figure.value} ${figure.unit}\n`)
  }
}
if (!values.json) process.stdout.write(`${renderFigures(figures)}\n`)
process.exitCode = figures.every((figure) => figure.ok) ? 0 : 7
