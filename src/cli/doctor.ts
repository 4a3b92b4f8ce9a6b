import { closeSync, existsSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { createServer } from 'node:net'
import { availableParallelism, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { formatSize } from '../core/kernel/units.ts'
import type { StatePaths } from '../platform/paths.ts'

/** One thing that was looked at on this machine. */
export interface Finding {
  name: string
  /** ok; lesser: works, with the cost named; broken: muster cannot run */
  state: 'ok' | 'lesser' | 'broken'
  found: string
  /** what its absence costs, or what to do; '' when ok */
  cost: string
}

const DISK_FREE_BYTES_MIN = 1024 ** 3
const OPEN_FILES_MIN = 4096
/** No disk and no honest controller makes bytes durable faster than this; RAM does. */
export const SYNC_MS_MIN = 0.02
export const TMPFS = 0x01021994

/** What this machine offers to muster. Tries things rather than guessing; leaves nothing behind. */
export async function examine(paths: StatePaths): Promise<Finding[]> {
  const { probeCapabilities } = await import('../agent/capabilities.ts')
  const folder = nearestFolder(paths.root)
  const agent = probeCapabilities(folder).map(({ name, isThere, found, cost, isNeeded }): Finding => ({
    name,
    state: isThere ? 'ok' : isNeeded ? 'broken' : 'lesser',
    found,
    cost,
  }))
  return [nodeVersion(), machine(), openFiles(), await loopback(), socketPath(paths), ...disk(folder), ...agent]
}

export function finding(name: string, isOk: boolean, found: string, cost: string, worst: 'lesser' | 'broken' = 'lesser'): Finding {
  return { name, state: isOk ? 'ok' : worst, found, cost: isOk ? '' : cost }
}

function nodeVersion(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  return finding('node', major > 22 || (major === 22 && minor >= 13), process.versions.node, 'Muster needs Node 22.13 or newer.', 'broken')
}

function machine(): Finding {
  const cores = availableParallelism()
  return finding(
    'cores and memory',
    cores >= 2 && totalmem() >= 1024 ** 3,
    `${cores} cores, ${formatSize(totalmem())}`,
    'A fleet of several nodes will be slow to start: use `muster up --nodes 1`.',
  )
}

function openFiles(): Finding {
  const limit = Number(/^Max open files\s+(\d+)/m.exec(readOr('/proc/self/limits', ''))?.[1] ?? Number.POSITIVE_INFINITY)
  return finding(
    'open files',
    limit >= OPEN_FILES_MIN,
    `${limit}`,
    `The mesh can hold fewer connections than it could: raise it with \`ulimit -n ${OPEN_FILES_MIN}\` before \`muster up\`.`,
  )
}

/** Tasks, proxies and the store all listen on loopback. */
async function loopback(): Promise<Finding> {
  const range = readOr('/proc/sys/net/ipv4/ip_local_port_range', '').trim().replace(/\s+/, '-')
  const server = createServer()
  const error = await new Promise<Error | null>((resolve) => {
    server.once('error', resolve)
    server.listen(0, '127.0.0.1', () => resolve(null))
  })
  server.close()
  return finding(
    'ports on loopback',
    error === null,
    error === null ? `free ports from ${range || 'the system'}` : error.message,
    'Nothing can listen on 127.0.0.1, so no task can be reached.',
    'broken',
  )
}

function socketPath(paths: StatePaths): Finding {
  const isShort = paths.socket.startsWith(paths.root)
  return finding(
    'socket path',
    isShort,
    paths.socket,
    'The state directory has a long path, so sockets are in the temporary directory; a cleaner of it may remove them.',
  )
}

function disk(folder: string): Finding[] {
  const { bavail, bsize, type } = statfsSync(folder)
  const free = bavail * bsize
  const probe = probeSync(folder)
  const isRam = type === TMPFS
  return [
    finding(
      'state directory',
      probe.error === null,
      probe.error ?? folder,
      'The state cannot be written: use another with MUSTER_STATE_DIR.',
      'broken',
    ),
    finding(
      'disk space',
      free >= DISK_FREE_BYTES_MIN,
      `${formatSize(free)} free`,
      'Writing stops with DISK_FULL when it is used up: free some, or use another disk with MUSTER_STATE_DIR.',
    ),
    finding(
      'durable writes',
      !isRam && probe.syncMs >= SYNC_MS_MIN,
      isRam ? 'tmpfs: memory, not a disk' : `fdatasync ${probe.syncMs.toFixed(2)} ms`,
      'What is acknowledged would be lost with the power: put the state on a disk with MUSTER_STATE_DIR.',
    ),
  ]
}

/** Median time of an fdatasync of 4 KiB, in ms. */
function probeSync(folder: string): { syncMs: number; error: string | null } {
  let probe: string | null = null
  try {
    probe = mkdtempSync(join(folder, '.muster-doctor-'))
    const file = openSync(join(probe, 'sync'), 'w')
    const times: number[] = []
    const block = Buffer.alloc(4096, 1)
    for (let i = 0; i < 15; i += 1) {
      writeSync(file, block)
      const startMs = performance.now()
      fdatasyncSync(file)
      times.push(performance.now() - startMs)
    }
    closeSync(file)
    return { syncMs: times.toSorted((a, b) => a - b)[7] ?? 0, error: null }
  } catch (error) {
    return { syncMs: 0, error: (error as Error).message }
  } finally {
    if (probe !== null) rmSync(probe, { recursive: true, force: true })
  }
}

/** The folder itself, or the first one above it that exists: the state may not have been made yet. */
export function nearestFolder(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : nearestFolder(dirname(folder))
}

export function readOr(file: string, fallback: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return fallback // not this kernel
  }
}
