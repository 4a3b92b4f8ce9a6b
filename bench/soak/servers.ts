import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const BIN = process.env['MUSTER_TEST_BIN'] ?? join(import.meta.dirname, '../../bin/muster.js')

/** One `muster delos serve` that dies and comes back on the same data. */
export interface SoakServer {
  name: string
  url: string
  dir: string
  start: () => void
  /** Sends the signal; for one that ends it, resolves when it is gone. */
  signal: (signal: NodeJS.Signals) => Promise<void>
  isRunning: () => boolean
  /** exit code or signal of the last end that nobody here asked for, or null */
  unexpectedEnd: () => string | null
}

export interface SoakServerOptions {
  name: string
  /** folder of its data and of what it prints */
  root: string
  clientUrl: string
  peerUrl: string
  /** `--initial-cluster` */
  cluster: string
  flags: readonly string[]
  /** what comes before the command, e.g. to run it in a namespace */
  before: readonly string[]
}

export function newSoakServer({ name, root, clientUrl, peerUrl, cluster, flags, before }: SoakServerOptions): SoakServer {
  let child: ChildProcess | null = null
  let unexpected: string | null = null
  const dir = join(root, name)
  const args = ['delos', 'serve', '--name', name, '--data-dir', dir, '--listen-client-urls', clientUrl, '--listen-peer-urls', peerUrl]
  args.push('--initial-cluster', cluster, ...flags)
  return {
    name,
    url: clientUrl,
    dir,
    start: () => {
      const [program, ...rest] = [...before, process.execPath, BIN, ...args]
      const started = spawn(program as string, rest, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1' } })
      const output = createWriteStream(join(root, `${name}.out`), { flags: 'a' })
      for (const stream of [started.stdout, started.stderr]) stream.on('data', (part: Buffer) => void output.write(part))
      started.once('exit', (code, signal) => {
        output.end()
        if (child === started) unexpected = `${name} ended with ${code ?? signal}`
      })
      child = started
    },
    signal: async (signal) => {
      const running = child
      if (running === null || running.exitCode !== null || running.signalCode !== null) return
      if (signal === 'SIGSTOP' || signal === 'SIGCONT') return void running.kill(signal)
      child = null
      running.kill(signal)
      await once(running, 'exit')
    },
    isRunning: () => child !== null && child.exitCode === null && child.signalCode === null,
    unexpectedEnd: () => unexpected,
  }
}

const ROOT = 'muster-soak-'

/** A folder for a run, after taking away those whose maker is gone. */
export function newRoot(): string {
  for (const name of readdirSync(tmpdir())) {
    const pid = new RegExp(`^${ROOT}(\\d+)-`).exec(name)?.[1]
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(tmpdir(), name), { recursive: true, force: true })
  }
  return mkdtempSync(join(tmpdir(), `${ROOT}${process.pid}-`))
}
