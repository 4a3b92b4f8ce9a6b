import { execa } from 'execa'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** MUSTER_TEST_BIN=bin/dev.js runs the sources as they are, without the bundle. */
export const BIN = process.env['MUSTER_TEST_BIN'] ?? fileURLToPath(new URL('../../bin/muster.js', import.meta.url))

/** A program that a job with `consent: pull` can run: `node PULLING_APP`. */
export const PULLING_APP = fileURLToPath(new URL('../fixtures/pulling-app.cjs', import.meta.url))

export interface CommandResult {
  exitCode: number
  stdout: string
  stderr: string
  /** the output envelope, when the command printed one */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look at what they expect
  json: any
}

/** A context of its own, with a home of its own, and the real binary on it. */
export interface TestFleet {
  home: string
  root: string
  env: Record<string, string>
  /** Runs `muster …` and waits for it; never rejects on an exit code. */
  muster: (...args: string[]) => Promise<CommandResult>
  /** The same with `--json`; rejects when it fails. Gives `data`. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look at what they expect
  data: (...args: string[]) => Promise<any>
  /** pid of the server, or null */
  serverPid: () => number | null
  /** Ends everything and removes the home. */
  end: () => Promise<void>
}

/** A new empty home; nothing runs in it yet. Sockets stay short by living right under the temporary folder. */
export function newFleet(): TestFleet {
  const home = mkdtempSync(join(tmpdir(), 'muster-e2e-'))
  const state = join(home, 'state')
  mkdirSync(state)
  const env: Record<string, string> = {
    HOME: home,
    PATH: process.env['PATH'] ?? '',
    USER: 'tester',
    XDG_STATE_HOME: state,
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_CACHE_HOME: process.env['MUSTER_TEST_CACHE'] ?? join(tmpdir(), 'muster-test-cache'),
    NO_COLOR: '1',
    // Other tests use the disk, too.
    MUSTER_DELOS_PROMOTE_SYNC_MS: '2000',
  }
  const root = join(state, 'muster', 'default')
  const muster = async (...args: string[]): Promise<CommandResult> => {
    const result = await execa(process.execPath, [BIN, ...args], {
      env,
      extendEnv: false,
      reject: false,
      cwd: home,
      stdin: 'ignore',
      timeout: 240_000,
    })
    const stdout = String(result.stdout ?? '')
    let json: unknown
    try {
      json = JSON.parse(stdout)
    } catch {
      json = undefined
    }
    return { exitCode: result.exitCode ?? -1, stdout, stderr: String(result.stderr ?? ''), json }
  }
  return {
    home,
    root,
    env,
    muster,
    data: async (...args) => {
      const result = await muster(...args, '--json')
      if (result.exitCode !== 0) throw new Error(`muster ${args.join(' ')} ended with ${result.exitCode}: ${result.stdout}${result.stderr}`)
      return result.json.data
    },
    serverPid: () => {
      try {
        return (JSON.parse(readFileSync(join(root, 'server.json'), 'utf8')) as { pid: number }).pid
      } catch {
        return null
      }
    },
    end: async () => {
      await muster('down')
      rmSync(home, { recursive: true, force: true })
    },
  }
}
