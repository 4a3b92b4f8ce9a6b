import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { simulateDelos } from './delos/cli.ts'
import { simulateTwControl } from './tw-control/cli.ts'
import { simulateTw } from './tw/cli.ts'

/**
 * `npm run sim -- delos|tw|tw-control --seeds N [--from S | --seed S] [--mutant NAME | --mutants] [--seconds S] [--processes P] [--json]`
 * delos also: `[--scenario log|kv|vlog] [--servers 3|5] [--mode safety|liveness]`; tw and tw-control also: `[--trace]`, with one seed.
 *
 * Exit code 1 if a seed violates something. With a mutant: stops at the first seed that notices it; exit code 1 if none does. With
 * `--mutants`: all of them, one after the other. After so many seconds no further seed is begun.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    servers: { type: 'string' },
    mode: { type: 'string' },
    scenario: { type: 'string' },
    mutant: { type: 'string' },
    mutants: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    seconds: { type: 'string', default: 'Infinity' },
    processes: { type: 'string', default: String(Math.min(2, availableParallelism())) },
    json: { type: 'boolean', default: false },
  },
})

const SYSTEMS = { delos: simulateDelos, tw: simulateTw, 'tw-control': simulateTwControl }

function usage(problem: string): never {
  process.stderr.write(`${problem}\n`)
  process.exit(2)
}

const [name] = positionals
const simulate =
  name === 'delos' || name === 'tw' || name === 'tw-control'
    ? SYSTEMS[name]
    : usage(name === undefined ? 'delos, tw or tw-control?' : `No simulation of ${name}.`)
const from = Number(values.seed ?? values.from)
const seeds = values.seed === undefined ? Number(values.seeds) : 1
const [processes, secondsMax] = [Number(values.processes), Number(values.seconds)]
if (!(seeds > 0 && processes > 0 && from >= 0 && secondsMax > 0)) usage('A number is wrong.')

const startedMs = performance.now()
const say = (line: string): boolean => process.stdout.write(`${line}\n`)
const isGood = await simulate({
  ...values,
  mutant: values.mutant ?? null,
  from,
  seeds,
  say,
  usage,
  sinceMs: () => performance.now() - startedMs,
  pool: {
    processes: Math.min(processes, seeds),
    isTimeOver: () => performance.now() - startedMs > secondsMax * 1000,
    onViolation: (result) => say(values.json ? JSON.stringify(result) : `seed ${result.seed}: ${result.violation}`),
  },
})
process.exitCode = isGood ? 0 : 1
