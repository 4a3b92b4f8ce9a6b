import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Where this machine's controllers are mounted: v1 has a mount per controller, v2 one for all; hybrid machines have both. */
export interface CgroupMounts {
  version: 1 | 2
  /** controller → mount point; on v2 all the same */
  cpu: string | null
  memory: string | null
  pids: string | null
  cpuacct: string | null
}

/** Reads /proc/self/mountinfo and /proc/cgroups' successors; null when no usable controller is mounted. cgroups(7). */
export function findCgroups(mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')): CgroupMounts | null {
  const v1: Record<string, string> = {}
  let v2: string | null = null
  for (const line of mountinfo.split('\n')) {
    const [left, right] = line.split(' - ')
    const point = left?.split(' ')[4]
    const [type, , options] = right?.split(' ') ?? []
    if (point === undefined) continue
    if (type === 'cgroup2') v2 = point
    if (type === 'cgroup') for (const name of options?.split(',') ?? []) v1[name] = point
  }
  if (v1['memory'] !== undefined || v1['cpu'] !== undefined) {
    return { version: 1, cpu: v1['cpu'] ?? null, memory: v1['memory'] ?? null, pids: v1['pids'] ?? null, cpuacct: v1['cpuacct'] ?? null }
  }
  if (v2 === null) return null
  const offered = readText(join(v2, 'cgroup.controllers')).split(/\s+/)
  const at = (name: string): string | null => (offered.includes(name) ? v2 : null)
  return { version: 2, cpu: at('cpu'), memory: at('memory'), pids: at('pids'), cpuacct: at('cpu') }
}

/** Folder of a context's cgroups below each mount: `muster/<hash of the state directory>/<node>`. */
export function cgroupParent(stateRoot: string, node: string): string {
  return join('muster', createHash('sha256').update(stateRoot).digest('hex').slice(0, 10), node)
}

export interface CgroupLimits {
  cpuMilli: number
  memoryMaxBytes: number
}

const PIDS_MAX = 4096
const CPU_WEIGHT_MAX = 10_000

/** The cgroup of one task. Limits: memory is a hard ceiling, pids are capped, cpu is a share that counts only under contention. */
export class TaskCgroup {
  readonly #mounts: CgroupMounts
  readonly #path: string

  constructor(mounts: CgroupMounts, parent: string, id: number) {
    this.#mounts = mounts
    this.#path = join(parent, String(id))
  }

  /** Makes the folders and sets the limits; throws what the kernel says (EACCES, EROFS) when it cannot. */
  create(limits: CgroupLimits): void {
    for (let tries = 1; ; tries += 1) {
      try {
        return this.#create(limits)
      } catch (error) {
        // Another fleet that leaves may have removed the empty parent in between.
        if (tries === 3 || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      }
    }
  }

  #create(limits: CgroupLimits): void {
    const { version, memory, cpu, pids } = this.#mounts
    for (const folder of this.#folders()) {
      if (version === 2) enableControllers(folder.mount, this.#path)
      mkdirSync(folder.path, { recursive: true })
    }
    if (memory !== null) {
      if (version === 2) {
        write(join(memory, this.#path, 'memory.max'), limits.memoryMaxBytes)
        tryWrite(join(memory, this.#path, 'memory.swap.max'), 0)
        tryWrite(join(memory, this.#path, 'memory.oom.group'), 1)
      } else {
        // Lowering works in this order, raising in the other; the second round makes both come out right.
        const ram = join(memory, this.#path, 'memory.limit_in_bytes')
        const withSwap = join(memory, this.#path, 'memory.memsw.limit_in_bytes')
        tryWrite(ram, limits.memoryMaxBytes)
        tryWrite(withSwap, limits.memoryMaxBytes)
        write(ram, limits.memoryMaxBytes)
      }
    }
    if (cpu !== null) {
      if (version === 2)
        tryWrite(join(cpu, this.#path, 'cpu.weight'), Math.min(CPU_WEIGHT_MAX, Math.max(1, Math.round(limits.cpuMilli / 10))))
      else tryWrite(join(cpu, this.#path, 'cpu.shares'), Math.max(2, Math.round((limits.cpuMilli * 1024) / 1000)))
    }
    if (pids !== null) tryWrite(join(pids, this.#path, 'pids.max'), PIDS_MAX)
  }

  /** Files a process writes `0` into to join. */
  procsFiles(): string[] {
    return this.#folders().map((folder) => join(folder.path, 'cgroup.procs'))
  }

  /** Host pids inside, of all hierarchies. */
  members(): number[] {
    const pids = new Set<number>()
    for (const file of this.procsFiles()) for (const pid of readText(file).split('\n')) if (Number(pid) > 0) pids.add(Number(pid))
    return [...pids]
  }

  /** How often the kernel killed inside it for memory, since it was made. */
  oomKills(): number {
    if (this.#mounts.memory === null) return 0
    const file = this.#mounts.version === 2 ? 'memory.events' : 'memory.oom_control'
    return Number(/^oom_kill (\d+)$/m.exec(readText(join(this.#mounts.memory, this.#path, file)))?.[1] ?? 0)
  }

  /** Bytes in use without page cache that can be dropped, and cpu time in µs; null where not counted. */
  usage(): { memoryBytes: number | null; cpuUs: number | null } {
    const { version, memory, cpuacct } = this.#mounts
    let memoryBytes: number | null = null
    if (memory !== null) {
      const used = Number(readText(join(memory, this.#path, version === 2 ? 'memory.current' : 'memory.usage_in_bytes')))
      const stat = readText(join(memory, this.#path, 'memory.stat'))
      const cold = Number(/^(?:total_)?inactive_file (\d+)$/m.exec(stat)?.[1] ?? 0)
      memoryBytes = Math.max(0, used - cold)
    }
    let cpuUs: number | null = null
    if (cpuacct !== null) {
      if (version === 2) cpuUs = Number(/^usage_usec (\d+)$/m.exec(readText(join(cpuacct, this.#path, 'cpu.stat')))?.[1] ?? 0)
      else cpuUs = Number(readText(join(cpuacct, this.#path, 'cpuacct.usage'))) / 1000
    }
    return { memoryBytes, cpuUs }
  }

  /** Kills what is left inside, e.g. children that left the task's process group. */
  killAll(): void {
    for (const pid of this.members()) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // it went by itself
      }
    }
  }

  /** Removes the folders; false while something is still inside. */
  remove(): boolean {
    return this.#folders()
      .map((folder) => removeFolder(folder.path))
      .every(Boolean)
  }

  #folders(): { mount: string; path: string }[] {
    const { version, cpu, memory, pids, cpuacct } = this.#mounts
    const mounts = [...new Set([memory, cpu, pids, version === 1 ? cpuacct : null].filter((mount) => mount !== null))]
    return mounts.map((mount) => ({ mount, path: join(mount, this.#path) }))
  }
}

/** Removes empty parents `muster/<hash>/<node>` upwards; what is in use by another fleet stays. */
export function removeCgroupParents(mounts: CgroupMounts, parent: string): void {
  for (const mount of new Set([mounts.memory, mounts.cpu, mounts.pids, mounts.cpuacct])) {
    if (mount === null) continue
    for (let path = parent; path !== '.'; path = join(path, '..')) if (!removeFolder(join(mount, path))) break
  }
}

/** Ids that still have a cgroup below `parent`. */
export function leftCgroups(mounts: CgroupMounts, parent: string): number[] {
  const ids = new Set<number>()
  for (const mount of [mounts.memory, mounts.cpu, mounts.pids, mounts.cpuacct]) {
    if (mount === null || !existsSync(join(mount, parent))) continue
    for (const entry of readdirSync(join(mount, parent), { withFileTypes: true })) if (entry.isDirectory()) ids.add(Number(entry.name))
  }
  return [...ids].filter((id) => Number.isInteger(id))
}

function enableControllers(mount: string, path: string): void {
  let folder = mount
  for (const part of path.split('/')) {
    mkdirSync(folder, { recursive: true })
    for (const controller of ['cpu', 'memory', 'pids']) tryWrite(join(folder, 'cgroup.subtree_control'), `+${controller}`)
    folder = join(folder, part)
  }
}

function removeFolder(path: string): boolean {
  try {
    rmdirSync(path)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
  }
}

function write(file: string, value: number | string): void {
  writeFileSync(file, String(value))
}

/** For knobs that some kernels lack (swap accounting) or refuse in a container: the limit is then weaker, not the task refused. */
function tryWrite(file: string, value: number | string): void {
  try {
    write(file, value)
  } catch {
    // said by `muster doctor`, which probes the same files
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
