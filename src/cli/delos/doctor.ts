import { execFile } from 'node:child_process'
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { formatSize } from '../../core/kernel/units.ts'
import { finding, nearestFolder, readOr, SYNC_MS_MIN, TMPFS, type Finding } from '../doctor.ts'
import { msText } from '../render/delos-store.ts'

/** A batch of ten small puts with its header, as measured under load. */
const WRITE_BYTES = 2360
const WRITES_MAX = 400
/** A slow disk is known by fewer. */
const WRITING_MS_MAX = 2000
/** Above it etcd, too, warns: elections come from disks slower than this. */
const SYNC_P99_MS_MAX = 10
/** The reserve that is never touched, two segment files and their successor. */
const FREE_BYTES_MIN = 1024 ** 3
const BACKLOG_MIN = 1024
const OPEN_FILES_MIN = 8192

/** File systems that are no disk of this machine. */
const FAR_FILE_SYSTEMS: Readonly<Record<number, string>> = { 0x6969: 'NFS', 0xff534d42: 'CIFS', 0x517b: 'SMB', 0x65735546: 'FUSE' }

export interface SyncTimes {
  p50Ms: number
  p99Ms: number
  writes: number
}

/** What this machine offers to a server of the store whose data is in `dir`. Tries things; leaves nothing behind. */
export async function examineForDelos(dir: string, ports: readonly number[]): Promise<Finding[]> {
  const folder = nearestFolder(dir)
  return [
    ...syncs(folder),
    space(folder),
    ...(await Promise.all(ports.map(portFree))),
    await clock(),
    openFiles(),
    backlog(),
    await etcdctl(),
  ]
}

function syncs(folder: string): Finding[] {
  const { type } = statfsSync(folder)
  let prewritten: SyncTimes
  let appended: SyncTimes
  try {
    prewritten = measure(folder, true)
    appended = measure(folder, false)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return [finding('data directory', false, `${folder}: ${code}`, 'Nothing can be written there: give another --data-dir.', 'broken')]
  }
  const times = ({ p50Ms, p99Ms, writes }: SyncTimes): string =>
    `p50 ${msText(p50Ms)} ms, p99 ${msText(p99Ms)} ms (${writes} writes of 2.3 KiB)`
  const gain = appended.p50Ms / prewritten.p50Ms
  const far = FAR_FILE_SYSTEMS[type >>> 0]
  return [
    finding(
      'honest fdatasync',
      type !== TMPFS && far === undefined && prewritten.p50Ms >= SYNC_MS_MIN,
      type === TMPFS ? 'tmpfs: memory, not a disk' : far === undefined ? times(prewritten) : `${far}: ${times(prewritten)}`,
      far === undefined
        ? 'No disk is that fast: what is acknowledged would be lost with the power. Put the data on a disk, and switch off a write cache without a battery (`hdparm -W0`).'
        : 'Another machine decides what is durable there: put the data on a disk of this one.',
    ),
    finding(
      'fast fdatasync',
      prewritten.p99Ms <= SYNC_P99_MS_MAX,
      `p99 ${msText(prewritten.p99Ms)} ms`,
      `Each write waits for it, and over ${SYNC_P99_MS_MAX} ms leaders may change for no other reason: use an SSD of its own, or --profile wan.`,
    ),
    finding(
      'prewriting',
      gain >= 0.9,
      `${gain.toFixed(1)} times as fast as appending (${msText(appended.p50Ms)} ms)`,
      'Segment files are written with zeros before use, and this file system gains nothing by it (it copies on write?): prefer ext4 or XFS.',
    ),
  ]
}

/** Times of writes with their fdatasync, into a file that is there already, or at the end of one that grows. */
export function measure(folder: string, isPrewritten: boolean): SyncTimes {
  const probe = mkdtempSync(join(folder, '.muster-doctor-'))
  try {
    const fd = openSync(join(probe, 'log'), 'w')
    const times: number[] = []
    try {
      if (isPrewritten) {
        writeSync(fd, Buffer.alloc(WRITE_BYTES * WRITES_MAX))
        fdatasyncSync(fd)
      }
      const block = Buffer.alloc(WRITE_BYTES, 1)
      const beganAt = performance.now()
      for (let i = 0; i < WRITES_MAX && performance.now() - beganAt < WRITING_MS_MAX; i += 1) {
        const startedAt = performance.now()
        writeSync(fd, block, 0, WRITE_BYTES, i * WRITE_BYTES)
        fdatasyncSync(fd)
        times.push(performance.now() - startedAt)
      }
    } finally {
      closeSync(fd)
    }
    const sorted = times.toSorted((a, b) => a - b)
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
    return { p50Ms: at(0.5), p99Ms: at(0.99), writes: times.length }
  } finally {
    rmSync(probe, { recursive: true, force: true })
  }
}

function space(folder: string): Finding {
  const { bavail, bsize } = statfsSync(folder)
  const free = bavail * bsize
  return finding(
    'free space',
    free >= FREE_BYTES_MIN,
    `${formatSize(free)} in ${folder}`,
    'Segment files of 64 MiB are made ahead, two of them; without room for them writes are refused with DISK_FULL. Free some, or use another disk.',
  )
}

async function portFree(port: number): Promise<Finding> {
  const server = createServer()
  const error = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
    server.once('error', resolve)
    server.listen(port, '127.0.0.1', () => resolve(null))
  })
  server.close()
  return finding(
    `port ${port}`,
    error === null,
    error === null ? 'free' : (error.code ?? error.message),
    port === 2379 || port === 2380
      ? 'Something listens there, maybe the etcd.service of the system (`systemctl disable --now etcd`); or give another with --listen-client-urls and --listen-peer-urls.'
      : 'Something listens there: end it, or give another port.',
  )
}

const run = promisify(execFile)
/** What a program prints, or null when it is not there or fails. */
const output = async (program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string | null> =>
  run(program, args, { timeout: 3000, env: { ...process.env, LC_ALL: 'C', ...env } }).then(
    ({ stdout }) => stdout,
    () => null,
  )

/** Leases and history are told in this clock; the log itself does not need it to be right. */
async function clock(): Promise<Finding> {
  const cost =
    'Leases stay safe, but times in the log and of history are wrong by as much, and a jump of over 50 ms costs the leader its lease: run chrony or systemd-timesyncd.'
  const chrony = await output('chronyc', ['-c', 'tracking'])
  if (chrony !== null) {
    const fields = chrony.trim().split(',')
    const offsetMs = Number(fields[4]) * 1000
    const isSynchronised = fields.at(-1) !== 'Not synchronised' && fields[2] !== '0'
    return finding(
      'clock',
      isSynchronised,
      `chrony: ${isSynchronised ? `off by ${msText(Math.abs(offsetMs))} ms` : 'not synchronised'}`,
      cost,
    )
  }
  const systemd = await output('timedatectl', ['show', '--property=NTPSynchronized', '--value'])
  if (systemd !== null) {
    const isSynchronised = systemd.trim() === 'yes'
    return finding('clock', isSynchronised, isSynchronised ? 'synchronised (timedatectl)' : 'not synchronised (timedatectl)', cost)
  }
  return finding('clock', false, 'neither chronyc nor timedatectl says whether it is synchronised', cost)
}

function openFiles(): Finding {
  const limit = Number(/^Max open files\s+(\d+)/m.exec(readOr('/proc/self/limits', ''))?.[1] ?? Number.POSITIVE_INFINITY)
  return finding('open files', limit >= OPEN_FILES_MIN, String(limit), `Each client is one: raise it with \`ulimit -n ${OPEN_FILES_MIN}\`.`)
}

function backlog(): Finding {
  const max = Number(readOr('/proc/sys/net/core/somaxconn', '').trim() || Number.POSITIVE_INFINITY)
  return finding(
    'connections at once',
    max >= BACKLOG_MIN,
    `net.core.somaxconn ${max}`,
    `When many clients come back at once, some wait for seconds: \`sysctl -w net.core.somaxconn=4096\`.`,
  )
}

async function etcdctl(): Promise<Finding> {
  const text = await output('etcdctl', ['version'], { ETCDCTL_API: '3' })
  const version = /etcdctl version: (\S+)/.exec(text ?? '')?.[1]
  return finding(
    'etcdctl',
    version !== undefined,
    version ?? 'not installed',
    "Only needed to look at the store with etcd's own tool: the package etcd-client. Versions before 3.4 need ETCDCTL_API=3.",
  )
}
